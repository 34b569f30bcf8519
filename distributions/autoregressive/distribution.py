r"""Autoregressive laws: one conditional for each position, all of them from one network.

.. math:: p(x \mid c) = \prod_{i=1}^D p\bigl(x_i \mid \theta_i(x_{A_i}, c)\bigr),

where :math:`A_i` are the positions before :math:`i` in some order. Every factor is an *element* (a Bernoulli, categorical or
normal law of one position, say), :math:`\theta` is an incremental network: all parameters come from one parallel pass when x is
known, so a density costs one pass; a draw goes through the levels of the order and evaluates the network incrementally (see
``bijectors/incremental.py``), so with a masked network it costs the arithmetic of one pass too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_context
from probgen.distributions.autoregressive.enumeration import MOST_STATES, all_events, finite_values, is_listable
from probgen.distributions.autoregressive.positions import Positions
from probgen.distributions.base import Distribution
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.constraints import is_real, satisfies
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding, ScaledEmbedding
from probgen.distributions.events import drawn, scored

__all__ = ["Autoregressive"]

Take = Callable[[int, int, TorchDistribution], Tensor]
"""``take(start, stop, law)`` gives values of the positions ``start:stop`` in the order of visits, from their law."""


class Autoregressive(Distribution):
    r"""The law of x under :math:`p(x \mid c) = \prod_i p(x_i \mid \theta_i(x_{A_i}, c))`, exact in both directions.

    A position is an entry of the trailing dimensions of the event, in row-major order; the network may visit them in any order.
    The network sees of a position what the embedding makes of each number of an element, and gives as many numbers for it as
    the element has parameters.

    Args:
        network: An incremental network with one coordinate a position, for example ``probgen.nn.MADE``.
        event_shape: Shape of an event; it begins with the element's shape (colors first, then rows and columns).
        element: The law of one position.
        embedding: How values enter the network; as they are by default.
        context: Context ``[*batch, *network.context_shape]``; gives the batch shape. None: ``condition`` binds it later.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``network``, ``element`` or ``embedding`` is of another kind.
        ValueError: their sizes do not fit.

    References:
        Frey (1998). Graphical models for machine learning and digital communication. https://mitpress.mit.edu/9780262062022
        Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation.
        https://arxiv.org/abs/1502.03509

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(features=9, num_outputs=1, hidden=(16,)), (3, 3), BernoulliElement())
        >>> p.sample((5,)).shape, p.log_prob(p.enumerate_support()).exp().sum()
        (torch.Size([5, 3, 3]), tensor(1.0000, grad_fn=<SumBackward0>))
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
        self.positions = Positions(event_shape, element.event_shape, network.levels)
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

    # ------------------------------------------------------------------------------------------------------- what it is made of

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

    def condition(self, context: Tensor) -> Autoregressive:
        """Bind the context of a network that takes one; the parameters stay shared.

        Args:
            context: Shape ``[*batch, *network.context_shape]``.

        Raises:
            ContextError: the network takes no context, or one of another shape.
        """
        return self._with(self.element, context)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; the network is shared."""
        new = self._expanded(batch_shape, _instance)
        if self.context is not None:
            new.context = self.context.expand(*batch_shape, *(self.network.context_shape or ()))
        return new

    # --------------------------------------------------------------------------------------------------------- scoring, drawing

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats, shape ``[*sample, *batch]``, from one pass of the network.

        Args:
            value: Points ``[*sample, *batch, *event]``.

        Raises:
            ValueError: a wrong event shape; while validating, also a value outside the support.
            ContextError: the network takes a context, and none is bound.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        log_prob = self._factors(value).sum(-1)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients, level after level."""
        with torch.no_grad():
            return self._swept(sample_shape, lambda start, stop, law: drawn(law))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in the parameters, where the element is reparameterized.

        Raises:
            NotImplementedError: it is not.
        """
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self.element).__name__} is not reparameterized; use `sample`.")
        return self._swept(sample_shape, lambda start, stop, law: law.rsample())

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        """Whether the support is finite and small enough to list: at most 65 536 states."""
        return is_listable(self._values(), self.event_shape.numel())

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All events, ``[number, *batch, *event]`` (with batch dimensions of one, if not expanded).

        Raises:
            NotImplementedError: there are too many, or infinitely many.
        """
        values = self._values()
        if values is None or not self.has_enumerate_support:
            raise NotImplementedError(f"the support of {type(self).__name__} has more than {MOST_STATES} states.")
        table = all_events(values, self.event_shape)
        table = table.reshape(len(table), *(1,) * len(self.batch_shape), *self.event_shape)
        return table.expand(-1, *self.batch_shape, *self.event_shape) if expand else table

    # --------------------------------------------------------------------------------------------------------- what others use

    def _factors(self, value: Tensor) -> Tensor:
        """The log-probability of each position, ``[*sample, *batch, D]``, from one pass."""
        rows = self.positions.rows(value)
        return self._scored(self.element(self.network(self._seen(rows), self.context)), rows)

    def _scored(self, law: TorchDistribution, rows: Tensor) -> Tensor:
        """The log-probability of rows ``[*batch, n, *element]`` position by position; NaN of NaN."""
        scores, support = scored(law, rows), cast(Constraint, law.support)
        if is_real(support):
            return scores
        unknown = rows.isnan()  # some laws of torch give any number outside of their support, and of NaN
        unknown = unknown.flatten(rows.dim() - len(self.positions.element)).any(-1) if self.positions.element else unknown
        return torch.where(satisfies(support, rows), scores, torch.where(unknown, math.nan, -math.inf).to(scores.dtype))

    def _swept(self, sample_shape: Sequence[int], take: Take) -> Tensor:
        """Draw all positions; ``take`` draws from the law of some of them."""
        shape = torch.Size((*sample_shape, *self.batch_shape))
        count, parts = shape.numel(), []

        def draw(start: int, stop: int, params: Tensor) -> Tensor:
            parts.append(take(start, stop, self.element(params)))
            return self._seen(parts[-1])

        self.network.sweep(draw, (count,), self._context_for(shape))
        rows = self.positions.unsorted(torch.cat(parts, 1))
        return self.positions.events(rows.reshape(*shape, *rows.shape[1:]))

    def _context_for(self, shape: torch.Size) -> Tensor | None:
        """The context of draws of a shape ``[*sample, *batch]``, one batch dimension."""
        if self.context is None:
            return None
        wanted = self.network.context_shape or ()
        return self.context.expand(*shape, *wanted).reshape(shape.numel(), *wanted)

    def _seen(self, rows: Tensor) -> Tensor:
        """What the network sees of positions ``[*batch, n, *element]``: ``[*batch, n * C]``."""
        cut = rows.dim() - len(self.positions.element) - 1
        seen: Tensor = self.embedding(rows, self._reference().dtype)
        return seen.reshape(*rows.shape[:cut], rows.shape[cut] * self._width)

    def _with(self, element: Element, context: Tensor | None) -> Autoregressive:
        """The same network with another element or context."""
        parts: Any = {"embedding": self.embedding, "context": context, "validate_args": self._validate_args}
        return Autoregressive(self.network, self.event_shape, element, **parts)

    def _neutral_law(self) -> TorchDistribution:
        """What the element says of zeros; for supports."""
        return cast(TorchDistribution, self.element(self._reference().new_zeros(self.element.num_parameters)))

    def _values(self) -> Tensor | None:
        """All values of a number, if they are finitely many."""
        return finite_values(self._neutral_law().support, self._reference().dtype)

    def _reference(self) -> Tensor:
        """A tensor that knows dtype and device."""
        return next(self.network.parameters(), torch.zeros(()))

    def __repr__(self) -> str:
        shapes = f"event_shape={tuple(self.event_shape)}, batch_shape={tuple(self.batch_shape)}"
        return f"{type(self).__name__}({type(self.network).__name__}, {self.element}, {shapes})"


def _require_kinds(**given: tuple[object, type]) -> None:
    for name, (value, kind) in given.items():
        if not isinstance(value, kind):
            raise TypeError(f"`{name}` must be an instance of {kind.__name__}; got {type(value).__name__}.")
