r"""The law of an event of which some positions are known: what completes an image, a sentence, a sound.

Let :math:`o` be the observed positions and :math:`u` the others. The law of the completed event is

.. math:: p(x_u \mid x_o) = \frac{p(x_u, x_o)}{p(x_o)}, \qquad p(x_o) = \sum_{x_u} p(x_u, x_o),

and :math:`p(x_o)` is called the *evidence*. If no observed position comes after an unobserved one in the order of the network
(a *prefix*, up to positions of one level, which are independent given those before), both are products of factors of the
chain rule: the evidence of those of :math:`o`, the conditional law of those of :math:`u`. Everything is exact then. Otherwise
the sum is intractable, and ``ParticleCompletion`` estimates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_context
from probgen.distributions.base import Distribution
from probgen.distributions.constraints import satisfies
from probgen.distributions.estimate import Estimate
from probgen.distributions.events import drawn

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.distribution import Autoregressive

__all__ = ["Completion", "require_bound"]


class Completion(Distribution):
    r"""The law :math:`p(x_u \mid x_o)` of completed events (abstract); made by ``Autoregressive.given``.

    An event has the shape of those of the law; its observed positions are those given, in every draw.

    Attributes:
        law: The law of whole events, :math:`p(x)`.
        known: The observed values, and a value of the support where there is none, ``[*batch, *event]``.
        observed: True where a position is observed, ``[*batch, *grid]``.

    Args:
        law: The law of whole events; its batch broadcasts with those of ``x`` and ``observed``.
        x: Values ``[*batch, *event]``; what stands at positions that are not observed is ignored.
        observed: True where a position is observed, ``[*batch, *grid]``.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``observed`` is not boolean.
        ValueError: ``x`` or ``observed`` has another shape; while validating, also an observed value outside the support.
        ContextError: the law still wants a context.

    Example:
        >>> from probgen.distributions.autoregressive import Completion, ExactCompletion
        >>> issubclass(ExactCompletion, Completion)
        True
    """

    def __init__(self, law: Autoregressive, x: Tensor, observed: Tensor, *, validate_args: bool | None = None) -> None:
        require_bound(law)
        law._check_shape(x)
        grid = law.positions.grid
        cut = observed.dim() - len(grid)
        if observed.dtype != torch.bool:
            raise TypeError(f"`observed` must be boolean; got {observed.dtype}.")
        if cut < 0 or tuple(observed.shape[cut:]) != grid:
            raise ValueError(f"`observed` must end with the grid of positions {grid}; got shape {tuple(observed.shape)}.")
        batch = torch.broadcast_shapes(law.batch_shape, x.shape[: x.dim() - len(law.event_shape)], observed.shape[:cut])
        self.law = law.expand(batch)
        self.observed = observed.expand((*batch, *grid))
        self.known = self._filled(x).expand((*batch, *law.event_shape))
        super().__init__(torch.Size(batch), law.event_shape, validate_args=validate_args)
        if self._checks_values(self.known):
            self.law._check_support(self.known)

    def log_evidence(self) -> Estimate:
        r"""The log-probability of what is observed, :math:`\log p(x_o)` in nats, shape ``[*batch]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `log_evidence`.")

    @constraints.dependent_property
    def support(self) -> Constraint:
        """Events in the support of the law that have the observed values."""
        return _Agreeing(cast(Constraint, self.law.support), self)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.law = self.law.expand(batch_shape)
        new.known = self.known.expand((*batch_shape, *self.event_shape))
        new.observed = self.observed.expand((*batch_shape, *self.law.positions.grid))
        return new

    def agrees(self, value: Tensor) -> Tensor:
        """Whether events ``[*sample, *batch, *event]`` have the observed values, ``[*sample, *batch]``.

        Values are compared in the coarser of the two precisions.
        """
        rows, known = self.law.positions.rows(value), self.law.positions.rows(self.known)
        if rows.is_floating_point() and known.is_floating_point():
            coarse = min(rows.dtype, known.dtype, key=lambda dtype: torch.finfo(dtype).bits)
            rows, known = rows.to(coarse), known.to(coarse)
        same = rows == known
        same = same.flatten(same.dim() - len(self.law.positions.element)).all(-1) if self.law.positions.element else same
        return (same | ~self._observed_rows()).all(-1)

    def _observed_rows(self) -> Tensor:
        """The observed positions, ``[*batch, D]``."""
        return self.observed.reshape(*self.observed.shape[: len(self.law.batch_shape)], self.law.positions.number)

    def _known_where(self, rows: Tensor) -> Tensor:
        """The mask ``[*batch, D]``, with ones for the dimensions of the element of ``rows``."""
        mask = self._observed_rows()
        return mask.reshape(*mask.shape, *(1,) * len(self.law.positions.element))

    def _filled(self, x: Tensor) -> Tensor:
        """``x`` with some value of the support where it is not observed."""
        rows = self.law.positions.rows(x)
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            filler = drawn(self.law._neutral_law())
        kept = self._known_where(rows)
        return self.law.positions.events(torch.where(kept, rows, filler.to(rows)))

    def __repr__(self) -> str:
        shapes = f"event_shape={tuple(self.event_shape)}, batch_shape={tuple(self.batch_shape)}"
        return f"{type(self).__name__}({type(self.law.network).__name__}, {shapes})"


class _Agreeing(Constraint):
    """Events of a support that have the observed values."""

    def __init__(self, base: Constraint, completion: Completion) -> None:
        self.base, self.completion = base, completion
        self.is_discrete, self.event_dim = base.is_discrete, base.event_dim

    def check(self, value: Tensor) -> Tensor:
        """Whether each event is allowed."""
        return satisfies(self.base, value) & self.completion.agrees(value)

    def __repr__(self) -> str:
        return f"{self.base} with the observed values"


def require_bound(law: Autoregressive) -> None:
    """Refuse a law whose context is still to be bound.

    Args:
        law: The law.

    Raises:
        ContextError: it wants a context.

    Example:
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.completion import require_bound
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> print(require_bound(Autoregressive(MADE(3, 1, hidden=(4,)), (3,), BernoulliElement())))
        None
    """
    if law.context_shape is not None:
        require_context(type(law).__name__, None, law.context_shape, ())
