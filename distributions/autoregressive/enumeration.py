"""The values of a finite law: what a support constraint admits, and all events made of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.quantization import BinCenters

__all__ = ["MOST_STATES", "all_events", "finite_values", "is_listable"]

MOST_STATES = 1 << 16
"""Supports of more events are not listed."""


def finite_values(
    support: object, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Tensor | None:
    """All values of one number, if they are finitely many: 0 and 1, integers in an interval, bin centers.

    Args:
        support: The constraint of a number, or of independent numbers.
        dtype: Of values that are no integers.
        device: Where they are wanted.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.autoregressive.enumeration import finite_values
        >>> (
        ...     finite_values(constraints.boolean),
        ...     finite_values(constraints.integer_interval(2, 4)),
        ...     finite_values(constraints.real),
        ... )
        (tensor([0., 1.]), tensor([2, 3, 4]), None)
    """
    inner: Any = support
    while hasattr(inner, "base_constraint"):  # independent numbers, and torch's mixtures
        inner = inner.base_constraint
    if repr(inner) == repr(constraints.boolean):
        return torch.arange(2, dtype=dtype, device=device)
    if isinstance(inner, BinCenters):
        return inner.quantization.centers(dtype, device)
    if isinstance(inner, constraints.integer_interval):
        return torch.arange(int(inner.lower_bound), int(inner.upper_bound) + 1, device=device)
    return None


def is_listable(values: Tensor | None, numbers: int) -> bool:
    """Whether events of some numbers, each of one of the values, are at most 65 536.

    Args:
        values: What ``finite_values`` gave.
        numbers: How many numbers an event has.

    Example:
        >>> import torch
        >>> from probgen.distributions.autoregressive.enumeration import is_listable
        >>> is_listable(torch.arange(2), 16), is_listable(torch.arange(2), 17), is_listable(None, 1)
        (True, False, False)
    """
    return values is not None and numbers * math.log(max(len(values), 1)) <= math.log(MOST_STATES) + 1e-9


def all_events(values: Tensor, event_shape: torch.Size) -> Tensor:
    """Every event whose numbers are some of the values, ``[len(values) ** numbers, *event]``.

    Args:
        values: The values ``[S]``.
        event_shape: Shape of an event.

    Example:
        >>> import torch
        >>> from probgen.distributions.autoregressive.enumeration import all_events
        >>> all_events(torch.arange(2), torch.Size([2])).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return torch.cartesian_prod(*[values] * event_shape.numel()).reshape(-1, *event_shape)
