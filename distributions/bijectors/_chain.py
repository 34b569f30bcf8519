"""Bookkeeping of maps one after another, whatever kind of maps: ranks of events, contexts, sums of their terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

__all__ = ["Link", "common_context_shape", "event_ranks", "total_of", "widened"]


class Link(Protocol):
    """What a chain needs to know of a part.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.bijectors._chain import Link
        >>> link: Link = Exp()
        >>> link.domain, link.context_shape
        (Real(), None)
    """

    @property
    def domain(self) -> Constraint:
        """Where the part starts."""

    @property
    def codomain(self) -> Constraint:
        """Where it ends."""

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of its context, or None."""


def common_context_shape(parts: Sequence[Link]) -> tuple[int, ...] | None:
    """The context shape that the parts declare, None if no part takes one.

    Args:
        parts: The parts.

    Raises:
        ValueError: parts declare different shapes.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.bijectors._chain import common_context_shape
        >>> print(common_context_shape([Exp()]))
        None
    """
    shapes = {part.context_shape for part in parts if part.context_shape is not None}
    if len(shapes) > 1:
        raise ValueError(f"all parts that take a context must declare the same shape; got {sorted(shapes)}.")
    return shapes.pop() if shapes else None


def event_ranks(parts: Sequence[Link]) -> list[int]:
    """Rank of the event of the whole before each part, and after the last.

    Args:
        parts: The parts, in the order in which they are applied.

    Example:
        >>> from probgen.distributions.bijectors import Exp, Permutation
        >>> from probgen.distributions.bijectors._chain import event_ranks
        >>> event_ranks([Exp(), Permutation([1, 0])])
        [1, 1, 1]
    """
    needed = parts[-1].codomain.event_dim
    for part in reversed(parts):
        needed = max(needed + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
    ranks = [needed]
    for part in parts:
        ranks.append(ranks[-1] + part.codomain.event_dim - part.domain.event_dim)
    return ranks


def widened(constraint: Constraint, extra: int) -> Constraint:
    """The constraint on events with ``extra`` axes more.

    Args:
        constraint: That of a part.
        extra: How many axes, at least 0.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.bijectors._chain import widened
        >>> widened(constraints.real, 2).event_dim
        2
    """
    return constraint if extra == 0 else constraints.independent(constraint, extra)


def total_of(terms: Sequence[Tensor]) -> Tensor:
    """The sum of the parts' terms, of shapes that broadcast.

    Args:
        terms: At least one.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._chain import total_of
        >>> total_of([torch.tensor(1.0), torch.tensor([2.0, 3.0])])
        tensor([3., 4.])
    """
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
