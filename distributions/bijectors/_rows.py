"""Values and contexts with one batch axis and in the precision of a network, as networks want them; and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors._conditioning import in_precision_of

__all__ = ["as_rows", "from_rows"]


def as_rows(
    value: Tensor,
    context: Tensor | None,
    event_shape: Sequence[int],
    context_shape: Sequence[int] | None,
    network: Callable[..., Tensor],
) -> tuple[Tensor, Tensor | None, torch.Size]:
    """Value ``[N, *event]`` and context ``[N, *context_shape]``, and the batch shape that they had together.

    Both are in the dtype of the network's parameters: data in float64 may meet a network in float32.

    Args:
        value: ``[*batch, *event]``.
        context: ``[*batch, *context_shape]``, or None; its batch is broadcast with that of the value.
        event_shape: Shape of one event.
        context_shape: Shape of one context, None if there is none.
        network: What will see them; a function without parameters takes them as they are.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._rows import as_rows
        >>> rows, context, batch = as_rows(torch.zeros(5, 1, 2), torch.zeros(3, 4), (2,), (4,), torch.add)
        >>> rows.shape, context.shape, batch
        (torch.Size([15, 2]), torch.Size([15, 4]), torch.Size([5, 3]))
    """
    batch = value.shape[: value.dim() - len(event_shape)]
    if context is not None and context_shape is not None:
        batch = torch.broadcast_shapes(batch, context.shape[: context.dim() - len(context_shape)])
        context = in_precision_of(network, context.expand((*batch, *context_shape)).reshape(batch.numel(), *context_shape))
    rows = in_precision_of(network, value.expand((*batch, *event_shape)).reshape(batch.numel(), *event_shape))
    return rows, context, batch


def from_rows(rows: Tensor, batch: Sequence[int], event_shape: Sequence[int], reference: Tensor) -> Tensor:
    """Rows ``[N, *event]`` with the batch shape that they had, in the dtype of ``reference``.

    Args:
        rows: What was computed.
        batch: The batch shape that ``as_rows`` found.
        event_shape: Shape of one event; () for one number a row.
        reference: The value that ``as_rows`` was given.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._rows import from_rows
        >>> from_rows(torch.zeros(15, 2), (5, 3), (2,), torch.zeros(1, dtype=torch.float64)).dtype
        torch.float64
    """
    return rows.reshape((*batch, *event_shape)).to(reference.dtype)
