r"""The log-probability of an interval under the standard normal and the standard logistic law, with gradients that live.

:math:`P = F(b) - F(a)` underflows in the tails and cancels for narrow intervals; a clamp at 1e-12 makes the value finite
and the gradient zero, where it is needed most. Here nothing is clamped.

*Logistic.* With :math:`\sigma(-x) = 1 - \sigma(x)` the difference is a product,
:math:`\sigma(b) - \sigma(a) = \sigma(b)\,\sigma(-a)\,(1 - e^{-(b - a)})`, and each factor has an exact logarithm.

*Normal.* Let :math:`Q = 1 - \Phi`. By symmetry the interval may be turned to the right, :math:`P = Q(p) - Q(q)` with
:math:`|p| \le q`.

* *Wide* intervals: :math:`\log P = \log Q(p) + \log(1 - e^{-\Delta})`, :math:`\Delta = \log Q(p) - \log Q(q)`. With
  :math:`\log Q(y) = -\tfrac12 \max(y, 0)^2 + g(y)` the squares are subtracted as a product and :math:`g` varies slowly; beyond
  :math:`y = 8` it is the logarithm of Laplace's continued fraction, a rational function with positive terms only.
* *Narrow* ones, :math:`r = (b - a)/2 < \tfrac12` and :math:`|m| r < 1` with :math:`m = (a + b)/2`: Gauss-Legendre quadrature of

  .. math:: P = 2 r\, \varphi(m) \int_0^1 \cosh(m r u)\, e^{-r^2 u^2 / 2}\, \mathrm du

  with 8 nodes on [-1, 1], 4 by symmetry, exact to rounding there. In float32 half of the nodes and 3 of the 12 terms of the
  fraction are enough.

References:
    Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++. https://arxiv.org/abs/1701.05517
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from probgen.distributions.numerics.stable import log1mexp

__all__ = ["log_normal_tail", "logistic_log_mass", "normal_log_mass"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)
_FRACTION_FROM = 8.0

# Gauss-Legendre on [-1, 1] with 4 or 8 nodes: the positive nodes, each with its weight (the weights sum to 1).
_FOUR = ((0.3399810435848563, 0.6521451548625461), (0.8611363115940526, 0.3478548451374538))
_EIGHT = (
    (0.1834346424956498, 0.3626837833783620),
    (0.5255324099163290, 0.3137066458778873),
    (0.7966664774136267, 0.2223810344533745),
    (0.9602898564975362, 0.1012285362903763),
)


def log_normal_tail(y: Tensor) -> Tensor:
    r"""Return :math:`\log Q(y) = \log(1 - \Phi(y))` for the standard normal law, elementwise.

    Unlike that of ``torch.special.log_ndtr``, its gradient :math:`-\varphi / Q \approx -y` is right at any distance.

    Args:
        y: Values of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.intervals import log_normal_tail
        >>> y = torch.tensor([-3.0, 0.0, 1e6], requires_grad=True)
        >>> log_normal_tail(y).detach(), torch.autograd.grad(log_normal_tail(y).sum(), y)[0]
        (tensor([-1.3508e-03, -6.9315e-01, -5.0000e+11]), tensor([-4.4378e-03, -7.9788e-01, -1.0000e+06]))
    """
    return -0.5 * torch.relu(y).square() + _tail_factor(y)


def normal_log_mass(lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
    r"""Return :math:`\log(\Phi(b) - \Phi(a))`, elementwise, without cancellation or underflow.

    Args:
        lower: Left ends a, any shape; may be minus infinity.
        upper: Right ends :math:`b > a`, broadcastable; may be infinity where ``lower`` is finite.
        width: :math:`b - a` where both are finite, given apart because it may be known better than their difference.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.intervals import normal_log_mass
        >>> a = torch.tensor([-1.0, 40.0, -torch.inf])
        >>> normal_log_mass(a, a + 2, torch.tensor(2.0)).isfinite(), normal_log_mass(a[0], -a[0], torch.tensor(2.0)).exp()
        (tensor([ True,  True, False]), tensor(0.6827))
    """
    open_left, open_right, lower, upper, width = _closed(lower, upper, width)
    is_open = open_left | open_right
    middle, radius = 0.5 * (lower + upper), 0.5 * width
    narrow = (radius < 0.5) & ((middle * radius).abs() < 1.0) & ~is_open
    inner = _narrow(torch.where(narrow, middle, 0.0), torch.where(narrow, radius, 0.25))
    turned = open_left | ((middle < 0) & ~open_right)
    near = torch.where(narrow, 0.0, torch.where(turned, -upper, lower))
    far = torch.where(narrow, 1.0, torch.where(turned, -lower, upper))
    outer = _wide(near, far, torch.where(narrow, 1.0, width), is_open)
    return torch.where(narrow, inner, outer)


def logistic_log_mass(lower: Tensor, upper: Tensor, width: Tensor) -> Tensor:
    r"""Return :math:`\log(\sigma(b) - \sigma(a))` with the logistic function, elementwise, exactly factored.

    Args:
        lower: Left ends a, any shape; may be minus infinity.
        upper: Right ends :math:`b > a`, broadcastable; may be infinity where ``lower`` is finite.
        width: :math:`b - a` where both are finite, given apart because it may be known better than their difference.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.intervals import logistic_log_mass
        >>> a = torch.tensor([-1.0, 500.0])
        >>> logistic_log_mass(a, a + 2, torch.tensor(2.0))
        tensor([  -0.7719, -500.1454])
    """
    open_left, open_right, lower, upper, width = _closed(lower, upper, width)
    left = torch.where(open_left, 0.0, functional.logsigmoid(-lower))
    right = torch.where(open_right, 0.0, functional.logsigmoid(upper))
    return left + right + torch.where(open_left | open_right, 0.0, log1mexp(width))


def _wide(near: Tensor, far: Tensor, width: Tensor, is_open: Tensor) -> Tensor:
    r""":math:`\log(Q(p) - Q(q))` for :math:`p < q`, or :math:`\log Q(p)` where open."""
    near_factor, near_part, far_part = _tail_factor(near), torch.relu(near), torch.relu(far)
    difference = torch.where(near > 0, width, far_part)
    gap = 0.5 * difference * (near_part + far_part) + near_factor - _tail_factor(far)
    rest = torch.where(is_open, 0.0, log1mexp(torch.where(is_open, 1.0, gap)))
    return near_factor - 0.5 * near_part.square() + rest


def _closed(lower: Tensor, upper: Tensor, width: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Which ends are open, and finite stand-ins, so that the branch that is not taken has finite gradients."""
    open_left, open_right = lower == -math.inf, upper == math.inf
    finite_lower = torch.where(open_left, upper - 1, lower)
    finite_upper = torch.where(open_right, lower + 1, upper)
    return open_left, open_right, finite_lower, finite_upper, torch.where(open_left | open_right, 1.0, width)


def _narrow(middle: Tensor, radius: Tensor) -> Tensor:
    z, square = middle * radius, radius.square()
    rule = _EIGHT if middle.dtype == torch.float64 else _FOUR
    total = sum(weight * torch.cosh(z * node) * torch.exp(-0.5 * node**2 * square) for node, weight in rule)
    return torch.log(2 * radius) - _HALF_LOG_TWO_PI - 0.5 * middle.square() + torch.log(torch.as_tensor(total))


def _tail_factor(y: Tensor) -> Tensor:
    r""":math:`g(y) = \log Q(y) + \tfrac12 \max(y, 0)^2`."""
    is_far, is_left = y > _FRACTION_FROM, y <= 0  # at 0 relu(y)^2 has no curvature
    magnitude = torch.where(is_left, -y, torch.where(is_far, 0.0, y))  # abs() has derivative 0 at 0
    half = 0.5 * torch.erfc(magnitude * math.sqrt(0.5))
    center = torch.where(is_far | is_left, 0.0, y)
    direct = torch.log(torch.where(is_left, 0.5, half)) + 0.5 * center.square()
    left = torch.log1p(-torch.where(is_left, half, 0.0))
    distant = torch.where(is_far, y, _FRACTION_FROM)
    fraction = distant
    for numerator in range(12 if y.dtype == torch.float64 else 3, 0, -1):
        fraction = distant + numerator / fraction
    return torch.where(is_far, -torch.log(fraction) - _HALF_LOG_TWO_PI, torch.where(is_left, left, direct))
