r"""The gradient penalty of WGAN-GP: the critic's slope is held near one between data and draws.

.. math:: R = \lambda\, \mathbb E_{\hat x}\bigl[(\|\nabla f(\hat x)\|_2 - 1)^2\bigr],
    \qquad \hat x = u\, x + (1 - u)\, y, \quad u \sim \mathcal U(0, 1)

with one :math:`u` and one norm *for each example*. The one-sided form punishes slopes above one only.

On the line a two-sided penalty can hold a critic that slopes the wrong way: for means a distance 2 apart the Wasserstein
loss of :math:`f(x) = s x` is :math:`2 s + 10 (|s| - 1)^2`, with a second minimum at :math:`s = 0.9`. The one-sided form lets
it turn; in more dimensions a slope can turn without passing zero.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.infer.penalties.penalty import Critic, Penalty, event_norm, gradient_at

__all__ = ["GradientPenalty"]


class GradientPenalty(Penalty):
    r"""The penalty :math:`\lambda (\|\nabla f\|_2 - 1)^2` at points between data and draws.

    Args:
        weight: The weight :math:`\lambda`; 10 in the paper.
        one_sided: Punish slopes above one only.

    Raises:
        ValueError: the weight is not positive.

    References:
        Gulrajani et al. (2017). Improved training of Wasserstein GANs. https://arxiv.org/abs/1704.00028

    Example:
        >>> import torch
        >>> from probgen.infer import GradientPenalty
        >>> x = torch.randn(64, 2)
        >>> GradientPenalty(1.0)(lambda x: 3 * x[:, 0], x, -x)  # (3 - 1)^2
        tensor(4.)
    """

    def __init__(self, weight: float = 10.0, *, one_sided: bool = False) -> None:
        super().__init__(weight)
        self.one_sided = one_sided

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        r""":math:`(\|\nabla f\| - 1)^2` at one point between every pair, ``[N]``.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``.
            real: Data ``[N, *event]``.
            fake: Draws ``[N, *event]``.

        Raises:
            ValueError: there are not as many draws as data.
        """
        if real.shape != fake.shape:
            raise ValueError(f"points between data and draws need equal shapes; got {tuple(real.shape)}, {tuple(fake.shape)}.")
        share = torch.rand(len(real), *(1,) * (real.dim() - 1), dtype=real.dtype, device=real.device)
        excess = event_norm(gradient_at(critic, torch.lerp(fake.detach(), real.detach(), share))) - 1
        return (excess.clamp_min(0) if self.one_sided else excess).square()

    def extra_repr(self) -> str:
        """The weight."""
        return f"weight={self.weight}, one_sided={self.one_sided}"
