"""Values and contexts with one batch axis, as networks want them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["as_rows"]


def as_rows(
    value: Tensor, context: Tensor | None, event_shape: Sequence[int], context_shape: Sequence[int] | None
) -> tuple[Tensor, Tensor | None, torch.Size]:
    """Value ``[N, *event]`` and context ``[N, *context_shape]``, and the batch shape that they had together.

    Args:
        value: ``[*batch, *event]``.
        context: ``[*batch, *context_shape]``, or None; its batch is broadcast with that of the value.
        event_shape: Shape of one event.
        context_shape: Shape of one context, None if there is none.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._rows import as_rows
        >>> rows, context, batch = as_rows(torch.zeros(5, 1, 2), torch.zeros(3, 4), (2,), (4,))
        >>> rows.shape, context.shape, batch
        (torch.Size([15, 2]), torch.Size([15, 4]), torch.Size([5, 3]))
    """
    batch = value.shape[: value.dim() - len(event_shape)]
    if context is not None and context_shape is not None:
        batch = torch.broadcast_shapes(batch, context.shape[: context.dim() - len(context_shape)])
        context = context.expand((*batch, *context_shape)).reshape(batch.numel(), *context_shape)
    return value.expand((*batch, *event_shape)).reshape(batch.numel(), *event_shape), context, batch
