r"""The increasing function :math:`g(t) = t + d \tanh(t + c)`, :math:`d > -1`, and its inverse.

What planar and Sylvester maps do along one direction. :math:`g'(t) = 1 + d\,(1 - \tanh^2(t + c)) > 0` exactly if :math:`d >
-1`, and :math:`|g(t) - t| \le |d|`, so the root of :math:`g(t) = s` lies in :math:`[s - |d|, s + |d|]`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.numerics.roots import invert_increasing
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["bounded_slope", "ridge", "ridge_inverse"]

_LARGEST_LOG = math.log(1e2)
_EVALUATIONS = 20


def bounded_slope(raw: Tensor) -> Tensor:
    r"""A number :math:`d` with :math:`1 + d` within a factor of 100 of one; zero goes to zero.

    Args:
        raw: Unconstrained numbers of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._ridge import bounded_slope
        >>> bounded_slope(torch.tensor([-1e6, 0.0, 1e6])).round(decimals=2)
        tensor([-0.9900,  0.0000, 99.0000])
    """
    return torch.expm1(soft_clip(raw, _LARGEST_LOG))


def ridge(t: Tensor, slope: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r""":math:`g(t)`, :math:`\log g'(t)` and :math:`\tanh(t + c)`, each ``[*batch]``.

    Args:
        t: The argument.
        slope: The factor :math:`d > -1`.
        shift: The shift :math:`c`.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._ridge import ridge
        >>> ridge(torch.tensor(0.0), torch.tensor(1.0), torch.tensor(0.0))
        (tensor(0.), tensor(0.6931), tensor(0.))
    """
    bend = torch.tanh(t + shift)
    return t + slope * bend, torch.log1p(slope * (1.0 - bend * bend)), bend


def ridge_inverse(target: Tensor, slope: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""The root :math:`t` of :math:`g(t) = s`, with :math:`\log g'(t)` and :math:`\tanh(t + c)`, each ``[*batch]``.

    Args:
        target: The value :math:`s`; its shape is that of the broadcast arguments.
        slope: The factor :math:`d > -1`.
        shift: The shift :math:`c`.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._ridge import ridge, ridge_inverse
        >>> d, c = torch.tensor(-0.9), torch.tensor(0.5)
        >>> ridge_inverse(ridge(torch.tensor(2.0), d, c)[0], d, c)[0]
        tensor(2.)
    """
    reach = slope.abs()
    t, log_slope = invert_increasing(
        lambda t: ridge(t, slope, shift)[:2], target, bounds=(target - reach, target + reach), evaluations=_EVALUATIONS
    )
    return t, log_slope, torch.tanh(t + shift)
