"""Scoring values some of which lie outside the support."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import interior_point, satisfies
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["minus_infinity_outside"]


def minus_infinity_outside(
    score: Callable[[Tensor], Tensor], value: Tensor, support: Constraint, event_shape: Sequence[int]
) -> Tensor:
    """Score a stand-in where ``value`` is outside, so that neither the value nor its gradient is NaN.

    Args:
        score: The log-density, ``[*batch, *event]`` to ``[*batch]``.
        value: Points ``[*batch, *event]``.
        support: Where the density is known.
        event_shape: Shape of an event.

    Returns:
        The log-density, minus infinity outside the support, NaN where a coordinate is NaN.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions._outside import minus_infinity_outside
        >>> minus_infinity_outside(torch.log, torch.tensor([1.0, -1.0]), constraints.positive, ())
        tensor([0., -inf])
    """
    inside = satisfies(support, value)
    mask = inside.reshape(inside.shape + (1,) * len(event_shape))
    log_prob = score(torch.where(mask, value, interior_point(support, value, event_shape)))
    has_nan = sum_rightmost(value.isnan().to(value.dtype), len(event_shape)) > 0
    outside = torch.where(has_nan, math.nan, -math.inf).to(log_prob.dtype)
    return torch.where(inside, log_prob, outside)
