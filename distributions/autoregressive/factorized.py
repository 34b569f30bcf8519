r"""What an autoregressive law is made of, and how its factors are scored and drawn.

A network gives the parameters :math:`\theta_i(x_{A_i}, c)` of all positions at once or level after level, an element makes
laws of them, an embedding says how values enter the network. Here these are put together; ``Autoregressive`` is the
distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_context
from probgen.distributions.autoregressive.enumeration import finite_values
from probgen.distributions.autoregressive.positions import Positions
from probgen.distributions.base import Distribution
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.constraints import is_real, satisfies
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding, ScaledEmbedding
from probgen.distributions.events import one_batch_dim, scored

__all__ = ["FactorizedLaw"]

Take = Callable[[int, int, Tensor], Tensor]
"""``take(start, stop, parameters)`` gives values of the positions ``start:stop`` in the order of visits, ``[N, n, *element]``,
from what the network says of them, ``[N, n, P]``."""


class FactorizedLaw(Distribution):
    r"""A network, an element and an embedding that fit together: factors for all positions (abstract).

    Attributes:
        network: The incremental network.
        element: The law of one position.
        embedding: How values enter the network.
        context: The bound context, or None.
        positions: How positions lie in a row, and in which order they are visited.

    Args:
        network: An incremental network with one coordinate a position.
        event_shape: Shape of an event; it begins with the element's shape.
        element: The law of one position.
        embedding: How values enter the network; as they are by default.
        context: Context ``[*batch, *network.context_shape]``, or None.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the sizes of network, event and element do not fit.

    Example:
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.factorized import FactorizedLaw
        >>> issubclass(Autoregressive, FactorizedLaw)
        True
    """

    def __init__(
        self,
        network: IncrementalNetwork,
        event_shape: Sequence[int],
        element: Element,
        *,
        embedding: Embedding | None = None,
        context: Tensor | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.network = network
        self.element = element
        self.embedding = ScaledEmbedding() if embedding is None else embedding
        _require_kinds(network=(network, IncrementalNetwork), element=(element, Element), embedding=(self.embedding, Embedding))
        self.positions = Positions(event_shape, element.event_shape, partial(getattr, network, "levels"))
        self._width = self.embedding.size * math.prod(element.event_shape)
        wanted = (self.positions.number, self._width, element.num_parameters)
        if (network.features, network.num_inputs, network.num_outputs) != wanted:
            raise ValueError(
                f"`network` must have {wanted[0]} positions, see {wanted[1]} numbers of each and give {wanted[2]} for "
                f"{type(element).__name__}; it has {network.features}, sees {network.num_inputs} and gives "
                f"{network.num_outputs}."
            )
        batch: Sequence[int] = ()
        if context is not None:
            require_context(type(self).__name__, context, network.context_shape, ())
            batch = context.shape[: context.dim() - len(network.context_shape or ())]
        self.context = context
        super().__init__(torch.Size(batch), torch.Size(event_shape), validate_args=validate_args)

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context that is still to be bound, or None."""
        return self.network.context_shape if self.context is None else None

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the element can be reparameterized."""
        return bool(self._neutral_law().has_rsample)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The support of the element, at every position."""
        return constraints.independent(cast(Constraint, self._neutral_law().support), len(self.positions.grid))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; the network is shared."""
        new = self._expanded(batch_shape, _instance)
        if self.context is not None:
            new.context = self.context.expand(*batch_shape, *(self.network.context_shape or ()))
        return new

    def _factors(self, value: Tensor) -> Tensor:
        """The log-probability of each position, ``[*sample, *batch, D]``, from one pass."""
        return self._scored(self._conditionals(value), self.positions.rows(value))

    def _conditionals(self, value: Tensor) -> TorchDistribution:
        """The law of each position given those before it, batch shape ``[*sample, *batch, D]``."""
        seen = self._seen(self.positions.rows(value))
        return cast(TorchDistribution, self.element(self.network(seen, self.context)))

    def _scored(self, law: TorchDistribution, rows: Tensor) -> Tensor:
        """The log-probability of rows ``[*batch, n, *element]`` position by position; NaN of NaN."""
        if not rows.is_floating_point() or torch.finfo(rows.dtype).bits < 32:
            # some laws of torch score in the dtype of the value
            rows = rows.to(torch.promote_types(self._reference().dtype, torch.float32))
        scores, support = scored(law if self._validate_args else _unvalidated(law), rows), cast(Constraint, law.support)
        if is_real(support):
            return scores
        unknown = rows.isnan()  # some laws of torch give any number outside of their support, and of NaN
        unknown = unknown.flatten(rows.dim() - len(self.positions.element)).any(-1) if self.positions.element else unknown
        return torch.where(satisfies(support, rows), scores, torch.where(unknown, math.nan, -math.inf).to(scores.dtype))

    def _swept(self, sample_shape: Sequence[int], take: Take) -> Tensor:
        """Draw all positions; ``take`` draws some of them from their parameters."""
        shape = torch.Size((*sample_shape, *self.batch_shape))
        count, parts, dtype = shape.numel(), [], self._reference().dtype

        def draw(start: int, stop: int, params: Tensor) -> Tensor:
            parts.append(take(start, stop, params))
            return self._seen(parts[-1], dtype)

        self.network.sweep(draw, (count,), self._context_for(shape))
        rows = self.positions.unsorted(torch.cat(parts, 1))
        if rows.numel() and self._checks_values(rows):
            self._check_drawn(rows)
        return self.positions.events(rows.reshape(*shape, *rows.shape[1:]))

    def _check_drawn(self, rows: Tensor) -> None:
        """Raise if some of what was drawn is no value: elements draw without looking at what the network says."""
        valid = satisfies(cast(Constraint, self._neutral_law().support), rows)
        if not bool(valid.all()):
            raise ValueError(
                f"`network` must give parameters of a law for every position; {int((~valid).sum())} of {valid.numel()} draws "
                "are no values, as where parameters are NaN."
            )

    def _context_for(self, shape: torch.Size) -> Tensor | None:
        """The context of draws of a shape ``[*sample, *batch]``, one batch dimension."""
        if self.context is None:
            return None
        return one_batch_dim(self.context, shape, self.network.context_shape or ())

    def _seen(self, rows: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """What the network sees of positions ``[*batch, n, *element]``, in its dtype: ``[*batch, n * C]``."""
        cut = rows.dim() - len(self.positions.element) - 1
        seen: Tensor = self.embedding(rows, self._reference().dtype if dtype is None else dtype)
        return seen.reshape(*rows.shape[:cut], rows.shape[cut] * self._width)

    def _neutral_law(self) -> TorchDistribution:
        """What the element says of zeros; for supports."""
        return cast(TorchDistribution, self.element(self._reference().new_zeros(self.element.num_parameters)))

    def _values(self) -> Tensor | None:
        """All values of a number, if they are finitely many."""
        reference = self._reference()
        return finite_values(self._neutral_law().support, reference.dtype, reference.device)

    def _reference(self) -> Tensor:
        """A tensor that knows dtype and device."""
        return next(self.network.parameters(), torch.zeros(()))

    def __repr__(self) -> str:
        shapes = f"event_shape={tuple(self.event_shape)}, batch_shape={tuple(self.batch_shape)}"
        return f"{type(self).__name__}({type(self.network).__name__}, {self.element}, {shapes})"


def _unvalidated(law: TorchDistribution) -> TorchDistribution:
    """A law that has just been made, which from now on checks no values."""
    inner: Any = law
    while inner is not None:
        inner._validate_args = False
        inner = getattr(inner, "component_distribution", None)
    return law


def _require_kinds(**given: tuple[object, type]) -> None:
    for name, (value, kind) in given.items():
        if not isinstance(value, kind):
            raise TypeError(f"`{name}` must be an instance of {kind.__name__}; got {type(value).__name__}.")
