r"""A channel that tells a critic how much the examples of a batch differ.

.. math:: s_g = \frac{1}{C H W} \sum_{c, h, w} \sqrt{\mathrm{Var}_{n \in g}[x_{nchw}] + \epsilon}

for groups g of a few examples. A generator that gives too few different images is found out at once. The critic's output for
one example then depends on the others of its group: penalties on its gradient at each example change their meaning a little
(progressive growing uses both).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MinibatchDeviation"]


class MinibatchDeviation(nn.Module):
    """Appends the mean standard deviation of groups of examples: ``[N, C, H, W]`` to ``[N, C + 1, H, W]``.

    Args:
        group: Examples of a group; the largest divisor of N that is not larger is taken.

    Raises:
        ValueError: ``group`` is not positive.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs, section 3. https://arxiv.org/abs/1710.10196

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import MinibatchDeviation
        >>> x = torch.tensor([-1.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 3, 4, 4)
        >>> MinibatchDeviation()(x)[:, 3, 0, 0]
        tensor([1., 1.])
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        if group < 1:
            raise ValueError(f"`group` must be positive; got {group}.")
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Append the channel to ``x`` ``[N, C, H, W]``."""
        count = x.shape[0]
        size = max((size for size in range(1, min(self.group, count) + 1) if count % size == 0), default=1)
        groups = x.reshape(count // size, size, *x.shape[1:])
        variance = (groups - groups.mean(dim=1, keepdim=True)).square().mean(dim=1)
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))
        channel = deviation.repeat_interleave(size)[:, None, None, None].expand(count, 1, *x.shape[2:])
        return torch.cat([x, channel], dim=1)

    def extra_repr(self) -> str:
        """The size of the groups."""
        return f"group={self.group}"
