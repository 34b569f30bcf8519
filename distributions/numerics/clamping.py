r"""Keeping rounded results inside the set where the exact ones lie.

Rounding may push a value onto or over the edge of an open set: :math:`\tanh(20)` is exactly one in float32. The functions here
move such a value to the nearest number that the dtype holds inside the set. The derivative stays that of the unclamped value,
since the exact value never left the set.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["clamp_open", "clamp_value"]


def clamp_value(value: Tensor, lower: float | None, upper: float | None) -> Tensor:
    """Clamp to ``[lower, upper]``; derivatives are those of ``value``, also where it was clamped. Infinities and NaN stay.

    Args:
        value: Values of any shape.
        lower: Lower end, or None.
        upper: Upper end, or None.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.clamping import clamp_value
        >>> x = torch.tensor([0.5, 1.0001], requires_grad=True)
        >>> y = clamp_value(x, 0.0, 1.0)
        >>> y.detach(), torch.autograd.grad(y.sum(), x)[0]
        (tensor([0.5000, 1.0000]), tensor([1., 1.]))
    """
    fixed = value.detach()
    clamped = fixed.clamp(lower, upper) + (value - fixed)  # the difference is zero, and has the derivative
    return torch.where(fixed.isfinite(), clamped, value)


def clamp_open(value: Tensor, lower: float | None, upper: float | None) -> Tensor:
    """Move values at or beyond the ends of the open interval to the nearest number inside; derivatives are unchanged.

    Args:
        value: Values of any shape.
        lower: Lower end (excluded), zero or of size one, or None.
        upper: Upper end (excluded), zero or of size one, or None.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.clamping import clamp_open
        >>> (1 - clamp_open(torch.tensor([0.5, 1.0]), 0.0, 1.0)) * 2**24
        tensor([8.3886e+06, 1.0000e+00])
    """
    inner_lower = None if lower is None else _inside(lower, +1, value.dtype)
    inner_upper = None if upper is None else _inside(upper, -1, value.dtype)
    return clamp_value(value, inner_lower, inner_upper)


def _inside(end: float, direction: int, dtype: torch.dtype) -> float:
    """The normal number next to ``end`` in ``direction``."""
    info = torch.finfo(dtype)
    if end == 0.0:
        return direction * info.tiny
    mantissa, exponent = math.frexp(abs(end))
    spacing = info.eps * 2.0 ** (exponent - 1)
    if mantissa == 0.5 and end * direction < 0:
        spacing /= 2
    return end + direction * spacing
