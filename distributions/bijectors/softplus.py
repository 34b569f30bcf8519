r"""The softplus map between the real line and the positive half-line."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn import functional

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.clamping import clamp_open
from probgen.distributions.numerics.stable import log1mexp, softplus_inverse

__all__ = ["Softplus"]


class Softplus(Elementwise):
    r""":math:`y = \log(1 + e^x)`; FLDJ :math:`= \log \sigma(x)`; inverse :math:`x = y + \log(1 - e^{-y})`.

    Codomain: the positive numbers. Relative accuracy is kept for :math:`x` from the smallest number whose exponential the dtype
    holds (-87 in float32, -708 in float64; below, :math:`y` is the smallest normal number) to the largest.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Softplus
        >>> f = Softplus()
        >>> f(torch.tensor([-50.0, 0.0, 1e6])), f.inverse(torch.tensor(1e-20))
        (tensor([1.9287e-22, 6.9315e-01, 1.0000e+06]), tensor(-46.0517))
    """

    codomain = constraints.positive

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        magnitude = torch.where(x < 0, -x, x)
        y = x.clamp_min(0) + torch.log1p(torch.exp(-magnitude))
        return clamp_open(y, 0.0, None), functional.logsigmoid(x)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return softplus_inverse(y), -log1mexp(y)
