r"""Self-attention between the pixels of an image as generators and critics use it.

.. math:: y = x + \gamma\, \mathrm{attention}(x, x, x)

with a learned number :math:`\gamma` that starts at zero: training begins with what is near and adds what is far. Unlike
``SpatialAttention`` it does not normalize its input (a critic's examples stay independent, its slopes are kept by spectral
normalization), and none of its weights starts at zero, so that it can be spectrally normalized.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.nn.attention import MultiHeadAttention

__all__ = ["ScaledAttention"]


class ScaledAttention(nn.Module):
    """Attention between the pixels of ``[N, channels, H, W]``, scaled by a learned number and added to the input.

    Args:
        channels: Channels of the image.
        heads: How many heads, a divisor of ``channels``.

    Raises:
        ValueError: ``heads`` does not divide ``channels``.

    References:
        Zhang, Goodfellow, Metaxas, Odena (2019). Self-attention generative adversarial networks.
        https://arxiv.org/abs/1805.08318

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial import ScaledAttention
        >>> x = torch.randn(2, 8, 5, 4)
        >>> torch.equal(ScaledAttention(8)(x), x)  # before training
        True
    """

    def __init__(self, channels: int, heads: int = 1) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(channels, heads)
        self.scale = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Add to ``x`` ``[N, channels, H, W]`` what its pixels see of each other."""
        change: Tensor = self.attention(x.flatten(2).transpose(1, 2))
        image: Tensor = change.transpose(1, 2).unflatten(2, x.shape[2:])
        return x + self.scale * image
