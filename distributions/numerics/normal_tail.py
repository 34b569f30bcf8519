r"""The far tail of the normal law in logarithms.

With :math:`\Phi` the standard normal distribution function, a quantile far out cannot be asked for by its probability: that of
:math:`z = 40` is :math:`10^{-350}`, which no floating-point number holds. Its logarithm is an ordinary number, so the quantile
is a function of :math:`\ell = -\log \Phi(-z)`. Newton's method on the concave function :math:`\log \Phi(-z)` overshoots at most
once and then converges from the right, quadratically.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["log_scaled_upper_tail", "log_upper_tail", "upper_quantile"]

_STEPS = 3
_LOG_ROOT_TWO_PI = 0.5 * math.log(2 * math.pi)


def log_upper_tail(z: Tensor) -> Tensor:
    r"""Return :math:`\log \Phi(-z) = \log \tfrac12 \operatorname{erfcx}(z / \sqrt 2) - z^2 / 2`, elementwise.

    Args:
        z: At least 0, any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.normal_tail import log_upper_tail
        >>> log_upper_tail(torch.tensor([0.0, 4.0]))
        tensor([ -0.6931, -10.3601])
    """
    return log_scaled_upper_tail(z) - 0.5 * z.square()


def log_scaled_upper_tail(z: Tensor) -> Tensor:
    r"""Return :math:`\log \Phi(-z) + z^2 / 2 = \log \tfrac12 \operatorname{erfcx}(z / \sqrt 2)`, elementwise.

    Args:
        z: At least 0, any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.normal_tail import log_scaled_upper_tail
        >>> log_scaled_upper_tail(torch.tensor([0.0, 100.0]))
        tensor([-0.6931, -5.5242])
    """
    scaled: Tensor = torch.special.erfcx(z * math.sqrt(0.5))
    return (0.5 * scaled).log()


def upper_quantile(level: Tensor) -> Tensor:
    r"""Return :math:`z \ge 0` with :math:`\log \Phi(-z) = -\ell`, elementwise, differentiable twice.

    Args:
        level: :math:`\ell`, at least :math:`\log 2`, of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.normal_tail import log_upper_tail, upper_quantile
        >>> upper_quantile(-log_upper_tail(torch.tensor([0.5, 40.0])))
        tensor([ 0.5000, 40.0000])
    """
    fixed = level.detach()
    root = (2 * fixed).sqrt()
    z = (root - (root.log() + _LOG_ROOT_TWO_PI) / root).clamp_min(0.0)
    for _ in range(_STEPS):
        z = _newton(z, fixed)
    return _newton(_newton(z, level), level)  # two attached steps: first and second derivatives are right


def _newton(z: Tensor, level: Tensor) -> Tensor:
    hazard: Tensor = math.sqrt(2 / math.pi) / torch.special.erfcx(z * math.sqrt(0.5))
    return z + (log_upper_tail(z) + level) / hazard
