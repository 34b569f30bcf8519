r"""The shapes of a transformed distribution, from those of its base and its bijector.

With base event rank :math:`r` and a bijector that consumes rank :math:`d` and yields rank :math:`d'`, the event of the result
has rank :math:`\max(d', r + d' - d)`: whichever couples more coordinates. The batch is the base's,
broadcast with the batches of the bijector's parameters and bound context.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from probgen.distributions._wrapping import reinterpreted

__all__ = ["ShapedMap", "TransformedShapes", "fitted", "transformed_shapes"]


class ShapedMap(Protocol):
    """What is asked of a map, a bijector or a stochastic one, to know the shapes of its push-forward."""

    @property
    def domain(self) -> Constraint:
        """Where the map is defined."""

    @property
    def codomain(self) -> Constraint:
        """Where its values lie."""

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of a value."""

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of an argument."""


class TransformedShapes(NamedTuple):
    """Shapes of a transformed distribution, and the batch that its base must have."""

    batch: torch.Size
    event: torch.Size
    base_batch: torch.Size


def transformed_shapes(base: Distribution, bijector: ShapedMap) -> TransformedShapes:
    """Work out the shapes of the push-forward of ``base`` by ``bijector``.

    Raises:
        ValueError: the base has too few dimensions, or the bijector's parameters do not fit its event.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions._shapes import transformed_shapes
        >>> from probgen.distributions.bijectors import Affine
        >>> transformed_shapes(standard_normal(2), Affine(torch.zeros(3, 1), 1.0)).batch
        torch.Size([3])
    """
    rank, consumed, yielded = len(base.event_shape), bijector.domain.event_dim, bijector.codomain.event_dim
    base_shape = base.batch_shape + base.event_shape
    if len(base_shape) < consumed:
        raise ValueError(f"`base` needs at least {consumed} dimension(s) for this bijector; got shape {tuple(base_shape)}.")
    shape = bijector.forward_shape(base_shape)
    needed = bijector.inverse_shape(shape)
    if rank and needed[len(needed) - rank :] != base.event_shape:
        raise ValueError(
            f"the bijector needs a base with event shape {tuple(needed[len(needed) - rank :])}; "
            f"`base` has event shape {tuple(base.event_shape)}."
        )
    cut = len(shape) - max(yielded, rank + yielded - consumed)
    return TransformedShapes(shape[:cut], shape[cut:], needed[: len(needed) - rank])


def fitted(base: Distribution, shapes: TransformedShapes, consumed: int) -> Distribution:
    """Expand ``base`` to the batch it needs and move into its event what the bijector consumes."""
    if base.batch_shape != shapes.base_batch:
        base = base.expand(shapes.base_batch)
    missing = consumed - len(base.event_shape)
    return reinterpreted(base, missing) if missing > 0 else base
