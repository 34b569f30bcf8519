r"""How the positions of an event lie in a row: what stands between tensors of events and an autoregressive network.

An event of shape ``(*element, *grid)`` has :math:`D = \prod \mathrm{grid}` positions, in row-major order; a position holds the
numbers of one element, ``()`` for a coordinate, ``(3,)`` for a pixel of three dependent colors. As *rows* the events are
``[*batch, D, *element]``. The network visits the positions in an order of its own, level after level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property

import torch
from torch import Tensor

__all__ = ["Positions"]

Levels = Sequence[Sequence[int]]


class Positions:
    """The positions of an event: their grid, the shape of their elements, and the order in which they are visited.

    Args:
        event_shape: Shape of an event; it begins with the element's shape.
        element_shape: Shape of an element.
        levels: Which positions belong to each level of the network, or a function that says so when it is first asked: a
            density needs no order, and sequences may be long. None as long as no network is known.

    Raises:
        ValueError: ``event_shape`` does not begin with the element's shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.autoregressive.positions import Positions
        >>> positions = Positions((3, 4, 5), (3,), [[k] for k in range(20)])
        >>> rows = positions.rows(torch.zeros(7, 3, 4, 5))
        >>> rows.shape, positions.events(rows).shape
        (torch.Size([7, 20, 3]), torch.Size([7, 3, 4, 5]))
    """

    def __init__(
        self, event_shape: Sequence[int], element_shape: Sequence[int], levels: Levels | Callable[[], Levels] | None = None
    ) -> None:
        shape, inner = tuple(event_shape), tuple(element_shape)
        if shape[: len(inner)] != inner:
            raise ValueError(f"`event_shape` must begin with the element's shape {inner}; got {shape}.")
        self.grid = shape[len(inner) :]
        self.element = inner
        self.number = math.prod(self.grid)
        self._given_levels = levels

    @cached_property
    def levels(self) -> list[list[int]]:
        """The positions of each level."""
        given = self._given_levels
        return [list(level) for level in (given() if callable(given) else given) or ()]

    @cached_property
    def order(self) -> list[int]:
        """The positions, level after level."""
        return [position for level in self.levels for position in level]

    @cached_property
    def is_in_order(self) -> bool:
        """Whether the positions are visited in their own order."""
        return self.order == sorted(self.order)

    def rows(self, value: Tensor) -> Tensor:
        """Events ``[*batch, *element, *grid]`` as rows ``[*batch, D, *element]``."""
        inner, batch = len(self.element), value.dim() - len(self.element) - len(self.grid)
        if inner:
            value = value.movedim(tuple(range(batch, batch + inner)), tuple(range(value.dim() - inner, value.dim())))
        return value.reshape(*value.shape[:batch], self.number, *self.element)

    def events(self, rows: Tensor) -> Tensor:
        """Rows ``[*batch, D, *element]`` as events ``[*batch, *element, *grid]``."""
        inner, batch = len(self.element), rows.dim() - 1 - len(self.element)
        value = rows.reshape(*rows.shape[:batch], *self.grid, *self.element)
        if not inner:
            return value
        return value.movedim(tuple(range(value.dim() - inner, value.dim())), tuple(range(batch, batch + inner)))

    def depth(self) -> Tensor:
        """The level of each position, integers ``[D]``."""
        found = torch.empty(self.number, dtype=torch.long)
        for level, members in enumerate(self.levels):
            found[members] = level
        return found

    def unsorted(self, values: Tensor) -> Tensor:
        """Rows ``[n, D, ...]`` in the order of visits, brought into the positions' own order."""
        if self.is_in_order:
            return values
        return values.index_select(1, torch.tensor(self.order, device=values.device).argsort())
