"""How couplings of events with axes call their networks: one batch axis, channels first."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors._conditioning import in_precision_of
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["call_conditioner"]


def call_conditioner(
    conditioner: nn.Module,
    seen: Tensor,
    rank: int,
    bound: float,
    context: Tensor | None,
    context_rank: int,
    free: int,
    channels: int,
) -> Tensor:
    """The parameters that a network gives for an event, last axis first to be read.

    Args:
        conditioner: From ``[N, c, *lengths]`` (and the context ``[N, *context_shape]``) to ``[N, free * n, *lengths]``.
        seen: What it sees, ``[*batch, c, *lengths]``; clipped smoothly to ``bound``.
        rank: Number of axes of the event.
        bound: The bound on what it sees.
        context: ``[*context_batch, *context_shape]``, or None.
        context_rank: Number of axes of the context's own shape.
        free: How many numbers each transformed coordinate takes.
        channels: How many channels are transformed, n.

    Returns:
        ``[*batch, n, *lengths, free]``, where the batch is broadcast with that of the context.

    Raises:
        ValueError: the network gives another shape.
    """
    batch, event = seen.shape[: seen.dim() - rank], seen.shape[seen.dim() - rank :]
    clipped = soft_clip(seen, bound)
    arguments: tuple[Tensor, ...] = (clipped.reshape(math.prod(batch), *event),)
    if context is not None:
        cut = context.dim() - context_rank
        batch = torch.broadcast_shapes(batch, context.shape[:cut])
        rows = math.prod(batch)
        arguments = (
            clipped.expand(*batch, *event).reshape(rows, *event),
            context.expand(*batch, *context.shape[cut:]).reshape(rows, *context.shape[cut:]),
        )
    raw: Tensor = conditioner(*(in_precision_of(conditioner, argument) for argument in arguments))
    if raw.dim() != rank + 1 or raw.shape[2:] != event[1:] or raw.shape[1] % free:
        raise ValueError(
            f"the conditioner must give [N, {free} * channels, {', '.join(map(str, event[1:]))}]; got {tuple(raw.shape)}."
        )
    if raw.shape[1] != free * channels:
        raise ValueError(f"the conditioner must give {free * channels} channels; got {raw.shape[1]}.")
    raw = raw.reshape(*batch, free, channels, *event[1:])
    return raw.movedim(-rank - 1, -1)
