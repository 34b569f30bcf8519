r"""DRAGAN: the critic's slope is held near one around the data.

.. math:: R = \lambda\, \mathbb E_{x \sim p}\bigl[(\|\nabla v(x + \delta)\| - 1)^2\bigr],
    \qquad \delta \sim \mathcal N(0, s^2 I)

Unlike WGAN-GP it looks at no draws, so any divergence can take it: it keeps the critic from sharp steps next to data, where
gradients for the generator would vanish. The noise is that of the paper; code that scales it by the deviation of
the batch couples the examples, which this does not: the deviation is given in units of the data.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.infer.penalties.penalty import Critic, Penalty, event_norm, gradient_at

__all__ = ["Dragan"]


class Dragan(Penalty):
    r"""The penalty :math:`\lambda (\|\nabla v\| - 1)^2` at data with Gaussian noise.

    Args:
        weight: The weight :math:`\lambda`; 10 in the paper.
        deviation: The deviation s of the noise, in units of the data; about half of theirs is usual.

    Raises:
        ValueError: the weight is not positive, or the deviation negative.

    References:
        Kodali, Abernethy, Hays, Kira (2017). On convergence and stability of GANs. https://arxiv.org/abs/1705.07215

    Example:
        >>> import torch
        >>> from probgen.infer import Dragan
        >>> x = torch.randn(64, 2)
        >>> Dragan(10.0)(lambda x: 3 * x[:, 0], x, x)  # 10 (3 - 1)^2
        tensor(40.)
    """

    def __init__(self, weight: float = 10.0, *, deviation: float = 0.5) -> None:
        super().__init__(weight)
        if not deviation >= 0:
            raise ValueError(f"`deviation` must not be negative; got {deviation}.")
        self.deviation = deviation

    def terms(self, critic: Critic, real: Tensor, fake: Tensor) -> Tensor:
        r""":math:`(\|\nabla v\| - 1)^2` at one point near every example of the data, ``[N]``.

        Args:
            critic: From events ``[N, *event]`` to outputs ``[N, ...]``.
            real: Data ``[N, *event]``.
            fake: Not used.
        """
        near = real.detach() + self.deviation * torch.randn_like(real)
        return (event_norm(gradient_at(critic, near)) - 1).square()

    def extra_repr(self) -> str:
        """The arguments."""
        return f"weight={self.weight}, deviation={self.deviation}"
