r"""The context of networks on vectors: its declared shape, and one row of numbers for each datum."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from probgen.distributions._checks import require_context

__all__ = ["declared_context_shape", "flat_context"]


def declared_context_shape(context_features: int | Sequence[int]) -> tuple[int, ...] | None:
    """The trailing shape that a width (0: no context) or a shape means.

    Args:
        context_features: A width, or a shape.

    Example:
        >>> from probgen.nn._context import declared_context_shape
        >>> declared_context_shape(0), declared_context_shape(3), declared_context_shape((2, 4))
        (None, (3,), (2, 4))
    """
    if isinstance(context_features, int):
        return (context_features,) if context_features else None
    return tuple(context_features)


def flat_context(owner: str, context: Tensor | None, shape: tuple[int, ...] | None, batch: Sequence[int]) -> Tensor | None:
    """A context ``[*batch, *shape]`` as rows ``[*batch, numbers]``, or None where none is taken.

    Args:
        owner: Who takes the context, for messages.
        context: The context; its batch shape broadcasts with ``batch``.
        shape: The declared shape.
        batch: Batch shape of the values.

    Raises:
        ContextError: the context is missing, not wanted, or has another shape.

    Example:
        >>> import torch
        >>> from probgen.nn._context import flat_context
        >>> flat_context("it", torch.zeros(5, 2, 4), (2, 4), (5,)).shape
        torch.Size([5, 8])
    """
    require_context(owner, context, shape, tuple(batch))
    if context is None or shape is None:
        return None
    return context.reshape(*context.shape[: context.dim() - len(shape)], math.prod(shape))
