r"""The fully visible belief network: every conditional is a generalized linear model of the coordinates before it.

.. math:: \theta_i = b_i + \sum_{j < i} W_{ij}\, x_j + V_i\, c,

one linear map with a strictly triangular weight; with a Bernoulli element behind it each conditional is a logistic
regression, :math:`P(x_i = 1 \mid x_{<i}) = \sigma(\theta_i)` (Frey, Hinton, Dayan 1996). The log-likelihood is concave in all
parameters, so training has one optimum, and it contains every law whose log-odds are linear in the past, such as a Markov
chain of bits.

A step is one row of the triangle: :math:`O(D)` a coordinate. A sweep takes the triangle in blocks, large products for what was
drawn before a block and thin ones inside it (``probgen/nn/_sweep.py``, with no hidden layer).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors.incremental import Draw, IncrementalNetwork
from probgen.nn._context import declared_context_shape, flat_context
from probgen.nn._sweep import SweepWeights, may_write_in_place, sweep_functional, sweep_in_place
from probgen.nn.masks import adjacency_of_order, checked_order, numbers_of, require_one_coordinate

__all__ = ["FVSBN", "FVSBNState"]


class FVSBNState(NamedTuple):
    """What has been seen; every leaf is ``[*batch, ...]``.

    Attributes:
        values: The values seen, in the order of the network, ``[*batch, n * C]``.
        offset: What the context adds to the outputs, ``[*batch, D * P]`` (``[*batch, 0]`` without context).

    Example:
        >>> from probgen.nn import FVSBN
        >>> state, params = FVSBN(features=3, num_outputs=2).init_state((5,))
        >>> state.values.shape, params.shape
        (torch.Size([5, 0]), torch.Size([5, 1, 2]))
    """

    values: Tensor
    offset: Tensor


class FVSBN(IncrementalNetwork):
    r"""A fully visible belief network, ``[*batch, D * C]`` to ``[*batch, D, P]``: linear in the coordinates before each.

    .. math:: \theta_i = b_i + \sum_{j < i} W_{ij}\, x_j + V_i\, c

    Args:
        features: How many coordinates, :math:`D`.
        num_outputs: How many numbers it gives for a coordinate, :math:`P`.
        num_inputs: How many numbers it sees of a coordinate, :math:`C`, next to each other.
        context_features: Width or shape of the context (0: none).
        order: Which coordinate comes first, second, ...; None for their own order.

    Raises:
        ValueError: a size is not positive, or ``order`` is no permutation of the coordinates.

    References:
        Frey, Hinton, Dayan (1996). Does the wake-sleep algorithm produce good density estimators?
        https://papers.nips.cc/paper/1153
        Gan, Henao, Carlson, Carin (2015). Learning deep sigmoid belief networks with data augmentation.
        https://proceedings.mlr.press/v38/gan15.html

    Example:
        >>> import torch
        >>> from probgen.nn import FVSBN
        >>> network = FVSBN(features=3, num_outputs=1, order=[2, 1, 0])
        >>> network(torch.zeros(5, 3)).shape, network.levels
        (torch.Size([5, 3, 1]), ((2,), (1,), (0,)))
    """

    mask: Tensor
    _order: Tensor

    def __init__(
        self,
        features: int,
        num_outputs: int,
        *,
        num_inputs: int = 1,
        context_features: int | Sequence[int] = 0,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if min(features, num_outputs, num_inputs) < 1:
            raise ValueError(
                f"`features`, `num_outputs` and `num_inputs` must be positive; got {features}, {num_outputs} and {num_inputs}."
            )
        self.features, self.num_inputs, self.num_outputs = features, num_inputs, num_outputs
        self.context_shape = declared_context_shape(context_features)
        sequence = checked_order(order, features)
        self._sequence, self._ordered = sequence, sequence == tuple(range(features))
        self.linear = nn.Linear(features * num_inputs, features * num_outputs)
        if self.context_shape is not None:
            self.context_layer = nn.Linear(math.prod(self.context_shape), features * num_outputs, bias=False)
        mask = adjacency_of_order(sequence).repeat_interleave(num_outputs, 0).repeat_interleave(num_inputs, 1)
        self.register_buffer("mask", mask.to(torch.get_default_dtype()), persistent=False)
        self.register_buffer("_order", torch.tensor(sequence), persistent=False)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """One coordinate a level."""
        return tuple((index,) for index in self._sequence)

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters in one product.

        Args:
            values: ``[*batch, D * C]``.
            context: ``[*batch, *context_shape]`` (broadcastable), if the network takes one.

        Returns:
            Parameters ``[*batch, D, P]``.
        """
        offset = self._offset(values.shape[:-1], context)
        raw = F.linear(values, self.linear.weight * self.mask, self.linear.bias)
        raw = raw if offset is None else raw + offset
        return raw.unflatten(-1, (self.features, self.num_outputs))  # type: ignore[no-any-return]

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[FVSBNState, Tensor]:
        """The empty state and the parameters ``[*batch, 1, P]`` of the first coordinate."""
        shape = tuple(batch_shape)
        offset = self._offset(shape, context)
        empty = self.linear.bias.new_empty((*shape, 0))
        state = FVSBNState(empty, empty if offset is None else offset.expand(*shape, -1))
        return state, self._params(state)

    def step(self, state: FVSBNState, values: Tensor) -> tuple[FVSBNState, Tensor]:
        """Take the values ``[*batch, C]`` of a coordinate, give the parameters ``[*batch, 1, P]`` of the next."""
        require_one_coordinate(values, self.num_inputs)
        seen = torch.cat([state.values, values.to(state.values.dtype)], -1)
        state = FVSBNState(seen, state.offset)
        return state, self._params(state)

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all coordinates at the cost of one product: in place where nothing records, else functionally."""
        shape = tuple(batch_shape)
        offset = self._offset(shape, context)
        weight, bias = self.linear.weight * self.mask, cast(Tensor, self.linear.bias)
        if not self._ordered:
            inputs, outputs = (numbers_of(self._order, count) for count in (self.num_inputs, self.num_outputs))
            weight, bias = weight.index_select(1, inputs).index_select(0, outputs), bias.index_select(0, outputs)
            offset = None if offset is None else offset.index_select(-1, outputs)
        seen = tuple(range(self.features + 1))
        plan = SweepWeights([weight], [bias], seen, (), self.num_outputs, residual=False, num_inputs=self.num_inputs)
        if len(shape) == 1 and may_write_in_place(bias):
            sweep_in_place(plan, torch.relu, draw, shape[0], offset)
        else:
            sweep_functional(plan, torch.relu, draw, shape, offset)

    def _params(self, state: FVSBNState) -> Tensor:
        """The parameters of the coordinate after those seen, ``[*batch, 1, P]``; none after the last."""
        seen, count = state.values, state.values.shape[-1]
        if count == self.features * self.num_inputs:
            return seen.new_zeros(*seen.shape[:-1], 0, self.num_outputs)
        level = count // self.num_inputs
        start = self._sequence[level] * self.num_outputs
        rows = slice(start, start + self.num_outputs)
        weight = self.linear.weight[rows]
        if not self._ordered:
            weight = weight.index_select(1, numbers_of(self._order[:level], self.num_inputs))
        weight = weight[:, :count]
        params = F.linear(seen, weight, self.linear.bias[rows])
        params = params if self.context_shape is None else params + state.offset[..., rows]
        return params.unsqueeze(-2)

    def _offset(self, batch_shape: Sequence[int], context: Tensor | None) -> Tensor | None:
        """What the context adds to the outputs, ``[*context_batch, D * P]``."""
        flat = flat_context(type(self).__name__, context, self.context_shape, batch_shape)
        return None if flat is None else self.context_layer(flat)
