r"""Composition: :math:`(g \circ f)(x) = g(f(x))` and, by the chain rule, the sum of the log-determinants.

.. math::

    \log|\det J_{g \circ f}(x)| = \log|\det J_f(x)| + \log|\det J_g(f(x))|.

Parts may have different event dimensions. The composition's event must be large enough for every part: walking back from
the last part, the rank that the event of the composition needs is the largest that any part asks for, corrected for parts
that change the rank. Each part's log-determinant is summed over the axes by which its own event is smaller.

Training usually keeps the activations of all parts. Since the parts are invertible, ``reversible=True`` recomputes them from
the output on the way back, so that memory does not grow with depth (``_reversible.py``).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_values
from probgen.distributions.bijectors._chain import event_ranks, total_of, widened
from probgen.distributions.bijectors._functional import tensors_of
from probgen.distributions.bijectors._reversible import Stage, may_run_reversibly, run_reversibly
from probgen.distributions.bijectors.base import Bijector, Direction
from probgen.distributions.bijectors.combined import Combined, context_for
from probgen.distributions.bijectors.lift import as_bijector
from probgen.distributions.constraints import core_constraint
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Compose"]


class Compose(Combined):
    r"""Left to right: ``Compose(f, g)(x) = g(f(x))``; ``f >> g`` is the same. Nested compositions are flattened.

    The context is passed only to parts that declare one; all such parts must declare the same shape.

    With ``reversible``, the way back keeps one part's activations at a time and costs one more inverse and one more forward
    pass. Gradients (of inputs, contexts, parameters; of any order) are those of the plain composition, at inputs that are off
    by the rounding of the inverse. A part whose inverse is iterative or slow keeps its input; one that draws random numbers
    (dropout) keeps its input and draws the same numbers again. A conditioner that updates statistics (batch normalization)
    updates them on each of the three passes. A tensor that a part uses without holding it as parameter or buffer gets no
    gradient. Function transforms, compilers and tracing see the plain composition.

    Args:
        *parts: Bijectors (or torch transforms, which are lifted), at least one. A part may occur several times; its
            parameters are then shared.
        reversible: Recompute the parts' activations from their outputs when gradients are taken. May be changed later
            (``f.reversible = True``). A reversible composition inside one that is not stays one part of it.

    Raises:
        ValueError: no parts, parts whose fixed event shapes don't fit, or parts that declare different context shapes.

    References:
        Gomez, Ren, Urtasun, Grosse (2017). The reversible residual network: backpropagation without storing activations.
        https://arxiv.org/abs/1707.04585

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, Compose, Exp
        >>> f = Compose(Affine(1.0, 2.0), Exp())
        >>> f.forward_and_log_det(torch.tensor(0.0))
        (tensor(2.7183), tensor(1.6931))
    """

    def __init__(self, *parts: Transform, reversible: bool = False) -> None:
        flat = [piece for part in parts for piece in _flatten(as_bijector(part), reversible=reversible)]
        super().__init__(flat)
        self.reversible = reversible
        self._event_dims = event_ranks(flat)
        self._extra = [dims - part.domain.event_dim for dims, part in zip(self._event_dims, flat, strict=False)]
        self._guards = [_needs_guard(left.codomain, right.domain) for left, right in itertools.pairwise(flat)]
        _require_chain(flat)
        self._domain_shape, self._codomain_shape = self._end_shapes()

    def __getitem__(self, index: int | slice) -> Bijector:
        """One part, or the composition of a slice of the parts (parameters shared)."""
        if isinstance(index, slice):
            return Compose(*self._parts[index], reversible=self.reversible)
        return self._parts[index]

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The first part's domain, widened to the event of the composition."""
        first = self._parts[0].domain
        return widened(first, self._event_dims[0] - first.event_dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The last part's codomain, widened to the event of the composition."""
        last = self._parts[-1].codomain
        return widened(last, self._event_dims[-1] - last.event_dim)

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """The event shape of ``x`` if the parts fix it."""
        return self._domain_shape

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """The event shape of ``y`` if the parts fix it."""
        return self._codomain_shape

    @property
    def sign(self) -> int:
        """The product of the parts' signs."""
        result = 1
        for part in self._parts:
            result *= part.sign
        return result

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``f(x)``, part after part."""
        for part in self._parts:
            shape = part.forward_shape(shape)
        return torch.Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of the inverse at ``y``, part after part from the last."""
        for part in reversed(self._parts):
            shape = part.inverse_shape(shape)
        return torch.Size(shape)

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Start part after part from the last, each from the data at its output.

        Args:
            y: Outputs ``[*batch, *event]``, such as a batch of data.
            context: The context, where a part takes one.
        """
        self._check_input("y", y, self.codomain, self.codomain_shape, context)
        for index, part in reversed(list(enumerate(self._parts))):
            given = context_for(part, context, self._extra[index])
            part.initialize_from(y, given)
            with torch.no_grad():
                y = part._inverse(y, given)

    def extra_repr(self) -> str:
        """Whether activations are recomputed."""
        return "reversible=True" if self.reversible else ""

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.reversible and may_run_reversibly(stages := self._stages("forward"), x, context):
            return tuple(run_reversibly(stages, x, context, log_det=True))  # type: ignore[return-value]
        terms = []
        for index, part in enumerate(self._parts):
            self._guard(index, x)
            extra = self._extra[index]
            x, log_det = part._forward_and_log_det(x, context_for(part, context, extra))
            terms.append(sum_rightmost(log_det, extra))
        return x, total_of(terms)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if self.reversible and may_run_reversibly(stages := self._stages("inverse"), y, context):
            return tuple(run_reversibly(stages, y, context, log_det=True))  # type: ignore[return-value]
        terms = []
        for index, part in reversed(list(enumerate(self._parts))):
            extra = self._extra[index]
            y, log_det = part._inverse_and_log_det(y, context_for(part, context, extra))
            terms.append(sum_rightmost(log_det, extra))
        return y, total_of(terms)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        if self.reversible and may_run_reversibly(stages := self._stages("forward"), x, context):
            return run_reversibly(stages, x, context, log_det=False)[0]
        for index, part in enumerate(self._parts):
            self._guard(index, x)
            x = part._forward(x, context_for(part, context, self._extra[index]))
        return x

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        if self.reversible and may_run_reversibly(stages := self._stages("inverse"), y, context):
            return run_reversibly(stages, y, context, log_det=False)[0]
        for index, part in reversed(list(enumerate(self._parts))):
            y = part._inverse(y, context_for(part, context, self._extra[index]))
        return y

    def _end_shapes(self) -> tuple[tuple[int, ...] | None, tuple[int, ...] | None]:
        """The event shapes at both ends; where only one end fixes its own, the parts tell the other."""
        first = _fixed_shape([(part.domain_shape, part) for part in self._parts], self._event_dims[0])
        last = _fixed_shape([(part.codomain_shape, part) for part in reversed(self._parts)], self._event_dims[-1])
        if first is not None and last is None:
            last = tuple(self.forward_shape(first))
        elif last is not None and first is None:
            first = tuple(self.inverse_shape(last))
        return first, last

    def _guard(self, index: int, x: Tensor) -> None:
        """Check the value between two parts where the left codomain does not promise the right domain."""
        if index > 0 and self._guards[index - 1]:
            require_values("x", x, self._parts[index].domain, self._label(index))

    def _label(self, index: int) -> str:
        return f"part {index} ({type(self._parts[index]).__name__})"

    def _stages(self, direction: Direction) -> list[Stage]:
        """The parts in the order in which they run."""
        stages = []
        for index, part in enumerate(self._parts):
            label = self._label(index) if direction == "forward" and index > 0 and self._guards[index - 1] else ""
            stages.append(Stage(part, direction, self._extra[index], tensors_of(part), label))
        return stages if direction == "forward" else stages[::-1]


def _flatten(part: Bijector, *, reversible: bool) -> list[Bijector]:
    if isinstance(part, Compose) and (reversible or not part.reversible):
        return part._parts
    return [part]


def _fixed_shape(parts: list[tuple[tuple[int, ...] | None, Bijector]], event_dim: int) -> tuple[int, ...] | None:
    """Event shape in front of ``parts``: that of the first part which fixes one, seen through elementwise parts."""
    for shape, part in parts:
        if shape is not None:
            return shape if len(shape) == event_dim else None
        if part.domain.event_dim or part.codomain.event_dim:
            return None
    return None


def _needs_guard(left: Constraint, right: Constraint) -> bool:
    """Whether a value that satisfies ``left`` may violate ``right``."""
    made, wanted = (repr(core_constraint(side)) for side in (left, right))  # constraints have no equality
    return wanted not in (made, repr(constraints.real))


def _require_chain(parts: list[Bijector]) -> None:
    for left, right in itertools.pairwise(parts):
        made, wanted = left.codomain_shape, right.domain_shape
        if made is not None and wanted is not None and len(made) == len(wanted) and made != wanted:
            raise ValueError(
                f"{type(left).__name__} gives events of shape {made} but {type(right).__name__} takes shape {wanted}."
            )
