r"""Scalar functions that keep their relative accuracy far out in the tails.

:math:`\log(1 - e^{-a})` loses all digits when written literally: for small :math:`a` the difference cancels, for large
:math:`a` the exponential is rounded away. Splitting at :math:`a = \log 2` keeps one of two exact forms (Mächler, 2012,
https://cran.r-project.org/web/packages/Rmpfr/vignettes/log1mexp-note.pdf).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["arsinh", "log1mexp", "log_cosh", "logsigmoid_derivative", "soft_clip", "softplus_inverse", "sum_rightmost"]


def log1mexp(a: Tensor) -> Tensor:
    r"""Return :math:`\log(1 - e^{-a})` for :math:`a > 0`, elementwise.

    Args:
        a: Positive values, any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import log1mexp
        >>> log1mexp(torch.tensor([1e-10, 50.0], dtype=torch.float64))
        tensor([-2.3026e+01, -1.9287e-22], dtype=torch.float64)
    """
    small = a < math.log(2.0)
    inner = torch.where(small, a, torch.ones_like(a))
    outer = torch.where(small, torch.ones_like(a), a)
    return torch.where(small, torch.log(-torch.expm1(-inner)), torch.log1p(-torch.exp(-outer)))


def softplus_inverse(y: Tensor) -> Tensor:
    r"""Return :math:`x` with :math:`\log(1 + e^x) = y`, elementwise, for :math:`y > 0`.

    Args:
        y: Positive values, any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import softplus_inverse
        >>> softplus_inverse(torch.nn.functional.softplus(torch.tensor([-80.0, 0.5, 1e4])))
        tensor([-8.0000e+01,  5.0000e-01,  1.0000e+04])
    """
    return y + log1mexp(y)


def soft_clip(x: Tensor, bound: float) -> Tensor:
    r"""Return :math:`b \tanh(x / b)`: the identity near zero, inside :math:`(-b, b)` everywhere, smooth.

    Args:
        x: Values of any shape.
        bound: The bound :math:`b > 0`; infinite for no clipping at all.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import soft_clip
        >>> soft_clip(torch.tensor([0.01, 1e6]), bound=5.0)
        tensor([0.0100, 5.0000])
    """
    return x if math.isinf(bound) else x.mul(1.0 / bound).tanh_().mul(bound)


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """Sum the last ``dims`` axes; zero axes leave the tensor as it is.

    Args:
        value: Tensor with at least ``dims`` axes.
        dims: How many axes to sum.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import sum_rightmost
        >>> sum_rightmost(torch.ones(2, 3, 4), 2)
        tensor([12., 12.])
    """
    if dims == 0:
        return value
    return value.sum(tuple(range(-dims, 0)))


def logsigmoid_derivative(x: Tensor) -> Tensor:
    r"""Return :math:`\log(\sigma(x)\,\sigma(-x))`, the log-derivative of the logistic function, elementwise.

    Args:
        x: Values of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import logsigmoid_derivative
        >>> logsigmoid_derivative(torch.tensor([0.0, -500.0, 1e30]))
        tensor([-1.3863e+00, -5.0000e+02, -1.0000e+30])
    """
    magnitude = torch.where(x < 0, -x, x)
    return -magnitude - 2 * torch.log1p(torch.exp(-magnitude))


def log_cosh(x: Tensor) -> Tensor:
    r"""Return :math:`\log \cosh x = |x| + \log(1 + e^{-2|x|}) - \log 2`, elementwise, without overflow.

    Args:
        x: Values of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import log_cosh
        >>> log_cosh(torch.tensor([0.0, -1e30]))
        tensor([0.0000e+00, 1.0000e+30])
    """
    magnitude = torch.where(x < 0, -x, x)
    return magnitude + torch.log1p(torch.exp(-2 * magnitude)) - math.log(2.0)


def arsinh(x: Tensor) -> Tensor:
    r"""Return :math:`\operatorname{arsinh} x`, elementwise, for values up to the largest number (their squares overflow).

    With :math:`r = \sqrt{1 + x^2}` from ``hypot``, :math:`\operatorname{arsinh} |x| = \log(1 + |x| + |x| \cdot |x| / (1 + r))`.

    Args:
        x: Values of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.stable import arsinh
        >>> arsinh(torch.tensor([0.0, 1e-20, -1e30]))
        tensor([  0.0000e+00,   1.0000e-20, -6.9771e+01])
    """
    magnitude = torch.where(x < 0, -x, x)
    radius = torch.hypot(magnitude, torch.ones_like(magnitude))
    value = torch.log1p(magnitude + magnitude * (magnitude / (1 + radius)))
    return torch.where(x < 0, -value, value)
