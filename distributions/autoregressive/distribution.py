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
from probgen.distributions.base import Distribution
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.constraints import is_real, satisfies
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding, ScaledEmbedding
from probgen.distributions.events import drawn, scored

__all__ = ["Autoregressive"]

_MOST_STATES = 1 << 16


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
        shape, inner = tuple(event_shape), tuple(element.event_shape)
        if shape[: len(inner)] != inner:
            raise ValueError(f"`event_shape` must begin with the element's shape {inner}; got {shape}.")
        self._outer = shape[len(inner) :]
        self._positions, self._width = math.prod(self._outer), self.embedding.size * math.prod(inner)
        wanted = (self._positions, self._width, element.num_parameters)
        if (network.features, network.num_inputs, network.num_outputs) != wanted:
            raise ValueError(
                f"`network` must have {wanted[0]} positions, see {wanted[1]} numbers of each and give {wanted[2]} for "
                f"{type(element).__name__}; it has {network.features}, sees {network.num_inputs} and gives "
                f"{network.num_outputs}."
            )
        order = [position for level in network.levels for position in level]
        self._rank = None if order == sorted(order) else torch.tensor(order).argsort()
        batch: Sequence[int] = ()
        if context is not None:
            require_context(type(self).__name__, context, network.context_shape, ())
            batch = context.shape[: context.dim() - len(network.context_shape or ())]
        self.context = context
        super().__init__(torch.Size(batch), torch.Size(shape), validate_args=validate_args)

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
        return constraints.independent(cast(Constraint, self._neutral_law().support), len(self._outer))

    def condition(self, context: Tensor) -> Autoregressive:
        """Bind the context of a network that takes one; the parameters stay shared.

        Args:
            context: Shape ``[*batch, *network.context_shape]``.

        Raises:
            ContextError: the network takes no context, or one of another shape.
        """
        return Autoregressive(
            self.network,
            self.event_shape,
            self.element,
            embedding=self.embedding,
            context=context,
            validate_args=self._validate_args,
        )

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
        batch = value.shape[: value.dim() - len(self.event_shape)]
        rows = self._rows(value, batch)
        law = self.element(self.network(self._seen(rows), self.context))
        scores, support = scored(law, rows), cast(Constraint, law.support)
        if not is_real(support):  # some laws of torch give any number outside
            scores = torch.where(satisfies(support, rows), scores, -math.inf)
        log_prob = scores.sum(-1)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients, level after level."""
        with torch.no_grad():
            return self._swept(sample_shape, drawn)

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in the parameters, where the element is reparameterized.

        Raises:
            NotImplementedError: it is not.
        """
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self.element).__name__} is not reparameterized; use `sample`.")
        return self._swept(sample_shape, lambda law: law.rsample())

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        """Whether the support is finite and small enough to list: at most 65 536 states."""
        values = self._element_values()
        return values is not None and self._positions * math.log(len(values)) <= math.log(_MOST_STATES)

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All events, ``[number, *batch, *event]`` (with batch dimensions of one, if not expanded).

        Raises:
            NotImplementedError: there are too many, or infinitely many.
        """
        values = self._element_values()
        if values is None or not self.has_enumerate_support:
            raise NotImplementedError(f"the support of {type(self).__name__} has more than {_MOST_STATES} states.")
        table = torch.cartesian_prod(*[values] * self._positions).reshape(-1, *self.event_shape)
        table = table.reshape(len(table), *(1,) * len(self.batch_shape), *self.event_shape)
        return table.expand(-1, *self.batch_shape, *self.event_shape) if expand else table

    def _swept(self, sample_shape: Sequence[int], take: Callable[[TorchDistribution], Tensor]) -> Tensor:
        """Draw all positions; ``take`` draws from the law of some of them."""
        shape = torch.Size((*sample_shape, *self.batch_shape))
        count, parts = shape.numel(), []

        def draw(start: int, stop: int, params: Tensor) -> Tensor:
            parts.append(take(self.element(params)))
            return self._seen(parts[-1])

        context = self.context
        if context is not None:
            wanted = self.network.context_shape or ()
            context = context.expand(*shape, *wanted).reshape(count, *wanted)
        self.network.sweep(draw, (count,), context)
        values = torch.cat(parts, 1)
        if self._rank is not None:
            values = values.index_select(1, self._rank.to(values.device))
        inner = len(self.element.event_shape)
        values = values.reshape(*shape, *self._outer, *self.element.event_shape)
        last, first = range(values.dim() - inner, values.dim()), range(len(shape), len(shape) + inner)
        return values.movedim(tuple(last), tuple(first)) if inner else values

    def _rows(self, value: Tensor, batch: Sequence[int]) -> Tensor:
        """The positions in a row, ``[*batch, D, *element.event_shape]``."""
        inner = len(self.element.event_shape)
        if inner:
            first, last = range(len(batch), len(batch) + inner), range(value.dim() - inner, value.dim())
            value = value.movedim(tuple(first), tuple(last))
        return value.reshape(*batch, self._positions, *self.element.event_shape)

    def _seen(self, rows: Tensor) -> Tensor:
        """What the network sees of positions ``[*batch, n, *element.event_shape]``: ``[*batch, n * C]``."""
        inner = len(self.element.event_shape)
        cut = rows.dim() - inner - 1
        seen: Tensor = self.embedding(rows, self._reference().dtype)
        return seen.reshape(*rows.shape[:cut], rows.shape[cut] * self._width)

    def _neutral_law(self) -> TorchDistribution:
        """What the element says of zeros; for supports."""
        return cast(TorchDistribution, self.element(self._reference().new_zeros(self.element.num_parameters)))

    def _element_values(self) -> Tensor | None:
        """All values of an element, if they are finitely many numbers."""
        support: Any = self._neutral_law().support
        while hasattr(support, "base_constraint"):
            support = support.base_constraint
        if repr(support) == repr(constraints.boolean):
            return torch.arange(2, dtype=self._reference().dtype)
        if isinstance(support, constraints.integer_interval):
            return torch.arange(int(support.lower_bound), int(support.upper_bound) + 1)
        return None

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
