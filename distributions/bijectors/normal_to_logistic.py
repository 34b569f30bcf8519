r"""From a standard normal to a standard logistic variable: :math:`y = \operatorname{logit} \Phi(x)`.

With :math:`a = |x|` and :math:`\ell = \log \Phi(-a) = \log \tfrac12 \operatorname{erfcx}(a / \sqrt 2) - a^2 / 2`,

.. math::

    y = \operatorname{sgn}(x)\,\big(\log(1 - e^{\ell}) - \ell\big), \qquad
    \log f'(x) = -\log\big(\sqrt{2 \pi}\, \tfrac12 \operatorname{erfcx}(a / \sqrt 2)\big) - \log(1 - e^{\ell}),

an odd map of the line onto itself: linear near zero, :math:`\pm x^2 / 2` far out. A cdf and a quantile after each other
(``NormalCDF`` and ``LogisticCDF().inv``) are the same function, but pass through a number near one and lose the upper tail at
5.4 standard deviations in float32. Here nothing is lost: Gaussianization needs the direction back, the normal quantile of a
probability that is known by its logit.

**Inverse.** The quantile function gives the root to a few digits, its asymptote :math:`\sqrt{2 a - \log 4 \pi a}` where the
probability underflows, and three Newton steps the rest, with derivatives of first and second order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.stable import log1mexp

__all__ = ["NormalToLogistic"]

_FAR = 60.0
_STEPS = 3


class NormalToLogistic(Elementwise):
    r""":math:`y = \operatorname{logit} \Phi(x)`: turns a standard normal into a standard logistic variable.

    Domain and codomain: the real line. The inverse is :math:`\Phi^{-1}(\sigma(y))`, by three Newton steps from a start that
    makes them exact to rounding.

    References:
        Meng, Song, Song, Ermon (2020). Gaussianization flows. https://arxiv.org/abs/2003.01941

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import NormalToLogistic
        >>> NormalToLogistic().inverse(NormalToLogistic()(torch.tensor([-100.0, 0.5, 9.0])))
        tensor([-100.0000,    0.5000,    9.0000])
    """

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            return _logit_of_normal(x)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            x = _start(y.detach())
            for _ in range(_STEPS):
                value, log_slope = _logit_of_normal(x)
                x = x - (value - y) * torch.exp(-log_slope)
            return x, -_logit_of_normal(x)[1]


def _logit_of_normal(x: Tensor) -> tuple[Tensor, Tensor]:
    magnitude = torch.where(x < 0, -x, x)
    log_ratio = torch.log(0.5 * torch.special.erfcx(magnitude * math.sqrt(0.5)))
    log_tail = log_ratio - 0.5 * magnitude * magnitude
    log_rest = log1mexp(-log_tail)
    value = log_rest - log_tail
    log_slope = -0.5 * math.log(2.0 * math.pi) - log_ratio - log_rest  # the squares have canceled
    return torch.where(x < 0, -value, value), log_slope


def _start(y: Tensor) -> Tensor:
    """The root to a few digits."""
    magnitude = y.abs()
    near = -torch.special.ndtri(torch.sigmoid(-magnitude.clamp_max(_FAR)))
    doubled = 2.0 * magnitude.clamp_min(_FAR)
    far = (doubled - (2.0 * math.pi * doubled).log()).sqrt()
    return torch.where(magnitude < _FAR, near, far).copysign(y)
