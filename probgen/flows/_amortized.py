"""Stacks of maps with few parameters, all of which a network makes of the context."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn

from probgen.distributions.bijectors import Bijector, Compose
from probgen.nn import MLP

__all__ = ["Closed", "amortized_stack"]

Closed = Literal["inverse", "forward"]

Make = Callable[[nn.Module | None], Bijector]


def amortized_stack(
    make: Make, num_raw: int, layers: int, context_shape: Sequence[int] | None, hidden: Sequence[int], closed: str
) -> Bijector:
    """``layers`` maps, each with its own network from the context, inverted if the closed form is to score data.

    Args:
        make: Builds one map from its conditioner (None without context).
        num_raw: How many numbers the conditioner emits.
        layers: How many maps.
        context_shape: Trailing shape of the context, or None.
        hidden: Widths of the conditioner's hidden layers.
        closed: "inverse" or "forward".

    Raises:
        ValueError: ``layers`` is less than 1, or ``closed`` is unknown.
    """
    if layers < 1 or closed not in ("inverse", "forward"):
        raise ValueError(f"`layers` must be positive and `closed` a direction; got {layers} and {closed!r}.")
    parts = []
    for _ in range(layers):
        conditioner = None if context_shape is None else MLP(math.prod(context_shape), num_raw, hidden=hidden)
        layer = make(conditioner)
        parts.append(layer.inv if closed == "inverse" else layer)
    return Compose(*parts)
