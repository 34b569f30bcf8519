r"""Different bijectors on different slices along one axis.

``Concat`` cuts the axis into consecutive pieces, ``Stack`` takes single slices without that axis. In both the Jacobian is
block diagonal,

.. math::

    \log|\det J(x)| = \sum_k \log|\det J_{f_k}(x_k)|,

where each term is summed over the axes by which the event of :math:`f_k` is smaller than the piece. The axis is part of the
event, so it is counted from the right, with a negative number.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_event_shape
from probgen.distributions.bijectors.combined import Combined, context_for
from probgen.distributions.bijectors.lift import as_bijector
from probgen.distributions.constraints import Product, core_constraint, is_real
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Concat", "Stack"]


class _Pieces(Combined):
    """A bijector for each piece of the event (abstract): a subclass says how an event is cut and joined."""

    _dim: int
    _event_rank: int
    _piece_rank: int
    _sizes: tuple[int, ...]
    _image_sizes: tuple[int, ...]
    _domain: Constraint
    _codomain: Constraint

    def _cut(self, value: Tensor, sizes: tuple[int, ...]) -> Sequence[Tensor]:
        raise NotImplementedError

    def _join(self, pieces: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The product of the parts' domains."""
        return self._domain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The product of the parts' codomains."""
        return self._codomain

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The event shape of ``x`` if it is a vector, else None."""
        return (sum(self._sizes),) if self._event_rank == 1 else None

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """The event shape of ``y`` if it is a vector, else None."""
        return (sum(self._image_sizes),) if self._event_rank == 1 else None

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self._dim}"

    def _check_input(
        self, name: str, value: Tensor, constraint: Constraint, event_shape: tuple[int, ...] | None, context: Tensor | None
    ) -> None:
        sizes = self._sizes if name == "x" else self._image_sizes
        require_event_shape(name, value, self._event_rank)
        _require_length(name, value.shape, self._dim, sum(sizes))
        super()._check_input(name, value, constraint, event_shape, context)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mapped = [
            part._forward_and_log_det(piece, context_for(part, context, self._extra(part)))
            for part, piece in zip(self._parts, self._cut(x, self._sizes), strict=True)
        ]
        return self._joined(mapped)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mapped = [
            part._inverse_and_log_det(piece, context_for(part, context, self._extra(part)))
            for part, piece in zip(self._parts, self._cut(y, self._image_sizes), strict=True)
        ]
        return self._joined(mapped)

    def _extra(self, part: Transform) -> int:
        """By how many axes the event of a part is smaller than a piece."""
        return self._piece_rank - int(part.domain.event_dim)

    def _joined(self, mapped: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
        terms = [sum_rightmost(log_det, self._extra(part)) for part, (_, log_det) in zip(self._parts, mapped, strict=True)]
        batch = torch.broadcast_shapes(*(term.shape for term in terms))
        pieces = [piece.expand((*batch, *piece.shape[piece.dim() - self._piece_rank :])) for piece, _ in mapped]
        return self._join(pieces), torch.stack([term.expand(batch) for term in terms]).sum(0)


class Concat(_Pieces):
    r"""Cut the event along an axis into consecutive pieces and map each by its own bijector.

    A part may change the length of its piece (as the map onto a simplex does). The event is as large as the axis and the
    parts need; parts with smaller events are widened.

    Args:
        *parts: Bijectors or torch transforms that keep the rank of their events.
        sizes: Lengths of the pieces of ``x``; None if every part has a fixed event shape that tells.
        dim: The axis, negative: counted from the right.

    Raises:
        ValueError: ``dim`` is not negative, the numbers of parts and sizes differ, a size is missing, or a part changes the
            rank of its event.

    Example:
        >>> import torch
        >>> from torch.distributions import biject_to, constraints
        >>> from probgen.distributions.bijectors import Concat, Exp
        >>> f = Concat(Exp(), biject_to(constraints.simplex), sizes=[2, 1])
        >>> f(torch.zeros(3)), f.codomain
        (tensor([1.0000, 1.0000, 0.5000, 0.5000]), Product(GreaterThan(lower_bound=0.0) x 2, Simplex() x 2))
    """

    def __init__(self, *parts: Transform, sizes: Sequence[int] | None = None, dim: int = -1) -> None:
        super().__init__([as_bijector(part) for part in parts])
        self._event_rank = self._piece_rank = max(_common_rank(self, dim), -dim)
        self._dim = dim
        fixed = [part.domain_shape for part in self._parts]
        if sizes is None:
            if any(shape is None or len(shape) < -dim for shape in fixed):
                raise ValueError("`sizes` is needed: not every part fixes the length of its piece.")
            sizes = [shape[dim] for shape in fixed if shape is not None]
        if len(sizes) != len(self._parts):
            raise ValueError(f"`sizes` must pair up with the {len(self._parts)} part(s); got {list(sizes)}.")
        self._sizes = tuple(sizes)
        shapes = [_probe(shape, size, dim) for shape, size in zip(fixed, sizes, strict=True)]
        self._image_sizes = tuple(part.forward_shape(shape)[dim] for part, shape in zip(self._parts, shapes, strict=True))
        self._domain = _along([part.domain for part in self._parts], self._sizes, dim, self._event_rank)
        self._codomain = _along([part.codomain for part in self._parts], self._image_sizes, dim, self._event_rank)

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Piece by piece."""
        _require_length("shape", shape, self._dim, sum(self._sizes))
        return self._mapped(shape, self._sizes, forward=True)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Piece by piece."""
        _require_length("shape", shape, self._dim, sum(self._image_sizes))
        return self._mapped(shape, self._image_sizes, forward=False)

    def _mapped(self, shape: Sequence[int], sizes: Sequence[int], *, forward: bool) -> torch.Size:
        pieces = [_replaced(shape, self._dim, size) for size in sizes]
        mapped = [
            part.forward_shape(piece) if forward else part.inverse_shape(piece)
            for part, piece in zip(self._parts, pieces, strict=True)
        ]
        others = torch.broadcast_shapes(*(_replaced(piece, self._dim, 1) for piece in mapped))
        return torch.Size(_replaced(others, self._dim, sum(piece[self._dim] for piece in mapped)))

    def _cut(self, value: Tensor, sizes: tuple[int, ...]) -> Sequence[Tensor]:
        return value.split(list(sizes), self._dim)  # type: ignore[no-any-return]

    def _join(self, pieces: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(pieces), self._dim)


class Stack(_Pieces):
    r"""Take the slices of the event along an existing axis, as long as there are parts, and map each by its own bijector.

    Args:
        *parts: Bijectors or torch transforms that keep the rank and size of their events.
        dim: The axis, negative: counted from the right.

    Raises:
        ValueError: ``dim`` is not negative, or a part changes the rank of its event.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp, Scale, Stack
        >>> Stack(Exp(), Scale(2.0)).forward_and_log_det(torch.tensor([0.0, 3.0]))
        (tensor([1., 6.]), tensor(0.6931))
    """

    def __init__(self, *parts: Transform, dim: int = -1) -> None:
        super().__init__([as_bijector(part) for part in parts])
        self._event_rank = max(_common_rank(self, dim) + 1, -dim)
        self._piece_rank = self._event_rank - 1
        self._dim = dim
        self._sizes = self._image_sizes = (1,) * len(self._parts)
        self._domain = _along([part.domain for part in self._parts], None, dim, self._event_rank)
        self._codomain = _along([part.codomain for part in self._parts], None, dim, self._event_rank)

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Slice by slice."""
        return self._mapped(shape, forward=True)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Slice by slice."""
        return self._mapped(shape, forward=False)

    def _mapped(self, shape: Sequence[int], *, forward: bool) -> torch.Size:
        _require_length("shape", shape, self._dim, len(self))
        cut = len(shape) + self._dim
        piece = (*shape[:cut], *shape[cut + 1 :])
        mapped = [part.forward_shape(piece) if forward else part.inverse_shape(piece) for part in self._parts]
        common = torch.broadcast_shapes(*mapped)
        cut = len(common) + self._dim + 1
        return torch.Size((*common[:cut], len(self), *common[cut:]))

    def _cut(self, value: Tensor, sizes: tuple[int, ...]) -> Sequence[Tensor]:
        return value.unbind(self._dim)

    def _join(self, pieces: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(pieces), self._dim)


class _Along(Constraint):
    """Every piece along an axis satisfies its constraint; ``sizes=None`` for slices without the axis."""

    def __init__(self, factors: Sequence[Constraint], sizes: Sequence[int] | None, dim: int, event_rank: int) -> None:
        rank = event_rank - (sizes is None)
        self.factors = tuple(constraints.independent(factor, rank - factor.event_dim) for factor in factors)
        self.sizes, self.dim, self._rank = sizes, dim, event_rank

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        return self._rank

    def check(self, value: Tensor) -> Tensor:
        pieces = value.unbind(self.dim) if self.sizes is None else value.split(list(self.sizes), self.dim)
        return torch.stack([factor.check(piece) for factor, piece in zip(self.factors, pieces, strict=True)]).all(0)

    def __repr__(self) -> str:
        return f"Along(dim={self.dim}, {', '.join(repr(factor) for factor in self.factors)})"


def _along(factors: Sequence[Constraint], sizes: Sequence[int] | None, dim: int, event_rank: int) -> Constraint:
    """The product of constraints along an axis, in the form that ``biject_to`` knows where there is one."""
    if all(is_real(factor) for factor in factors):
        return constraints.independent(constraints.real, event_rank)
    if event_rank == 1:
        return Product(factors, [1] * len(factors) if sizes is None else sizes)
    each = [core_constraint(factor) for factor in factors]
    if all(factor.event_dim == 0 for factor in each):
        lengths = [1] * len(each) if sizes is None else list(sizes)
        return constraints.independent(constraints.cat(each, dim, lengths), event_rank)
    return _Along(factors, sizes, dim, event_rank)


def _common_rank(owner: Combined, dim: int) -> int:
    """The largest event rank of the parts, after checking the axis and that no part changes its rank."""
    if dim >= 0:
        raise ValueError(f"`dim` must be negative: the axis belongs to the event; got {dim}.")
    for part in owner._parts:
        if part.domain.event_dim != part.codomain.event_dim:
            raise ValueError(f"`parts` must keep the rank of their events; {type(part).__name__} does not.")
    return max(int(part.domain.event_dim) for part in owner._parts)


def _probe(fixed: tuple[int, ...] | None, size: int, dim: int) -> tuple[int, ...]:
    """A small shape on which a part tells what it makes of a piece of this length."""
    shape = fixed if fixed is not None and len(fixed) >= -dim else (1,) * -dim
    return _replaced(shape, dim, size)


def _replaced(shape: Sequence[int], dim: int, length: int) -> tuple[int, ...]:
    cut = len(shape) + dim
    return (*shape[:cut], length, *shape[cut + 1 :])


def _require_length(name: str, shape: Sequence[int], dim: int, length: int) -> None:
    if len(shape) < -dim or shape[dim] != length:
        raise ValueError(f"`{name}` must have length {length} along axis {dim}; got shape {tuple(shape)}.")
