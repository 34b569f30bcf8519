r"""The logistic function, its inverse, and the hyperbolic tangent.

All three meet the edge of the number format: :math:`\sigma(17)` and :math:`\tanh(10)` round to one in float32. The value then
is the nearest number inside the open interval, so it can be inverted and scored, and the log-determinant is computed from
:math:`x`, where it is exact at any distance. A round trip through the value cannot be better than the spacing of
numbers near one allows:
beyond :math:`|x| \approx 17` (float64: 37) the distance is lost. Near zero the format is dense, so the lower tail of
:math:`\sigma` survives to -87 (-708).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.clamping import clamp_open
from probgen.distributions.numerics.stable import logsigmoid_derivative

__all__ = ["Logit", "Sigmoid", "Tanh"]


class Sigmoid(Elementwise):
    r""":math:`y = \sigma(x) = 1 / (1 + e^{-x})`; FLDJ :math:`= \log \sigma(x) + \log \sigma(-x)`.

    Codomain: the unit interval. Values lie strictly inside; the inverse at zero or one is that of the nearest number inside.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Sigmoid
        >>> f = Sigmoid()
        >>> f(torch.tensor(100.0)) < 1, f.forward_log_det_jacobian(torch.tensor(100.0))
        (tensor(True), tensor(-100.))
    """

    codomain = constraints.unit_interval

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _sigmoid(x)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _logit(y)


class Logit(Elementwise):
    r""":math:`y = \log(x / (1 - x))`, the inverse of :class:`Sigmoid`; FLDJ :math:`= -\log x - \log(1 - x)`.

    Domain: the unit interval; zero and one are taken as the nearest numbers inside.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Logit
        >>> Logit()(torch.tensor([0.5, 1e-30]))
        tensor([  0.0000, -69.0776])
    """

    domain = constraints.unit_interval

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _logit(x)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return _sigmoid(y)


class Tanh(Elementwise):
    r""":math:`y = \tanh x`; FLDJ :math:`= \log(1 - \tanh^2 x) = 2 (\log 2 - |x| - \log(1 + e^{-2|x|}))`.

    Codomain: the interval :math:`[-1, 1]`. Values lie strictly inside; an end is inverted as the nearest number inside.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Tanh
        >>> f = Tanh()
        >>> f.forward_log_det_jacobian(torch.tensor([0.0, 100.0])), f.inverse(f(torch.tensor(100.0))).isfinite()
        (tensor([   0.0000, -198.6137]), tensor(True))
    """

    codomain = constraints.interval(-1.0, 1.0)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return clamp_open(torch.tanh(x), -1.0, 1.0), logsigmoid_derivative(2 * x) + 2 * math.log(2.0)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        inner = clamp_open(y, -1.0, 1.0)
        upper, lower = torch.log1p(inner), torch.log1p(-inner)
        return 0.5 * (upper - lower), -(upper + lower)


def _sigmoid(x: Tensor) -> tuple[Tensor, Tensor]:
    return clamp_open(torch.sigmoid(x), 0.0, 1.0), logsigmoid_derivative(x)


def _logit(y: Tensor) -> tuple[Tensor, Tensor]:
    inner = clamp_open(y, 0.0, 1.0)
    upper, lower = torch.log(inner), torch.log1p(-inner)
    return upper - lower, -(upper + lower)
