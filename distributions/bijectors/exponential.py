r"""The exponential map between the real line and the positive half-line."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.clamping import clamp_open

__all__ = ["Exp"]


class Exp(Elementwise):
    r""":math:`y = e^x`; FLDJ :math:`= x`. Codomain: the positive numbers. Exact both ways.

    Below :math:`x = -87` (float64: -708) :math:`y` is the smallest normal number, so the round trip ends there; the
    log-determinant stays exact.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp
        >>> Exp().forward_and_log_det(torch.tensor(1.0))
        (tensor(2.7183), tensor(1.))
    """

    codomain = constraints.positive

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return clamp_open(x.exp(), 0.0, None), x

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x = y.log()
        return x, -x
