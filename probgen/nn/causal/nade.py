r"""The neural autoregressive distribution estimator: one hidden layer whose sums grow along the sequence.

.. math:: a_i = b + U c + \sum_{j < i} W_j\, x_j, \qquad h_i = \sigma(a_i), \qquad \theta_i = V_i h_i + d_i

Each coordinate has a hidden layer of its own, all with the same weights: column :math:`W_j` says what coordinate :math:`j`
adds, whoever looks at it (Larochelle, Murray 2011). So :math:`a_{i+1} = a_i + W_i x_i`, and a step costs :math:`O(H)`; all D
steps together cost :math:`O(D H)`, like one pass of an autoencoder. MADE shares hidden *units* instead, each of which sees a
fixed set of coordinates: one small matrix product for all positions, where the parallel pass here holds :math:`D H` units.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors.incremental import Draw, IncrementalNetwork
from probgen.nn._context import declared_context_shape, flat_context
from probgen.nn._initial import uniform_parameter
from probgen.nn._sweep import may_write_in_place
from probgen.nn.masks import checked_order, require_one_coordinate

__all__ = ["NADE", "NADEState"]


class NADEState(NamedTuple):
    """The running sums.

    Attributes:
        sums: What the hidden units have added up so far, :math:`a_i`, ``[*batch, H]``.
        level: How many coordinates have been seen.

    Example:
        >>> from probgen.nn import NADE
        >>> state, params = NADE(features=3, num_outputs=2, hidden=4).init_state((5,))
        >>> state.sums.shape, state.level, params.shape
        (torch.Size([5, 4]), 0, torch.Size([5, 1, 2]))
    """

    sums: Tensor
    level: int


class NADE(IncrementalNetwork):
    r"""Neural autoregressive distribution estimator, ``[*batch, D * C]`` to ``[*batch, D, P]``.

    .. math:: \theta_i = V_i\, \sigma\Bigl(b + U c + \sum_{j < i} W_j\, x_j\Bigr) + d_i

    Args:
        features: How many coordinates, :math:`D`.
        num_outputs: How many numbers it gives for a coordinate, :math:`P`.
        num_inputs: How many numbers it sees of a coordinate, :math:`C`, next to each other.
        hidden: Number of hidden units, :math:`H`.
        context_features: Width or shape of the context (0: none).
        order: Which coordinate comes first, second, ...; None for their own order.
        activation: Makes the elementwise :math:`\sigma`.

    Raises:
        ValueError: a size is not positive, or ``order`` is no permutation of the coordinates.

    References:
        Larochelle, Murray (2011). The neural autoregressive distribution estimator.
        https://proceedings.mlr.press/v15/larochelle11a.html
        Uria, Murray, Larochelle (2013). RNADE: the real-valued neural autoregressive density-estimator.
        https://arxiv.org/abs/1306.0186

    Example:
        >>> import torch
        >>> from probgen.nn import NADE
        >>> network = NADE(features=3, num_outputs=1, hidden=16, order=[2, 1, 0])
        >>> network(torch.zeros(5, 3)).shape, network.levels
        (torch.Size([5, 3, 1]), ((2,), (1,), (0,)))
    """

    _order: Tensor

    def __init__(
        self,
        features: int,
        num_outputs: int,
        *,
        num_inputs: int = 1,
        hidden: int = 128,
        context_features: int | Sequence[int] = 0,
        order: Sequence[int] | None = None,
        activation: Callable[[], nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        if min(features, num_outputs, num_inputs, hidden) < 1:
            sizes = f"{features}, {num_outputs}, {num_inputs} and {hidden}"
            raise ValueError(f"`features`, `num_outputs`, `num_inputs` and `hidden` must be positive; got {sizes}.")
        self.features, self.num_inputs, self.num_outputs = features, num_inputs, num_outputs
        self.context_shape = declared_context_shape(context_features)
        sequence = checked_order(order, features)
        self._sequence, self._ordered = sequence, sequence == tuple(range(features))
        self.activation = activation()
        self.inner = uniform_parameter(features * num_inputs, (features, num_inputs, hidden))  # W
        self.inner_bias = nn.Parameter(torch.zeros(hidden))  # b
        self.outer = uniform_parameter(hidden, (features, num_outputs, hidden))  # V
        self.outer_bias = nn.Parameter(torch.zeros(features, num_outputs))  # d
        if self.context_shape is not None:
            self.context_layer = nn.Linear(math.prod(self.context_shape), hidden, bias=False)  # U
        self.register_buffer("_order", torch.tensor(sequence), persistent=False)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """One coordinate a level."""
        return tuple((index,) for index in self._sequence)

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters in one pass; it holds ``D * H`` numbers for each datum.

        Args:
            values: ``[*batch, D * C]``.
            context: ``[*batch, *context_shape]`` (broadcastable), if the network takes one.

        Returns:
            Parameters ``[*batch, D, P]``.
        """
        start = self._start(values.shape[:-1], context)
        x = values.unflatten(-1, (self.features, self.num_inputs))
        added = x * self.inner.squeeze(1) if self.num_inputs == 1 else torch.einsum("...dc,dch->...dh", x, self.inner)
        if not self._ordered:
            added = added.index_select(-2, self._order)
        before = F.pad(added[..., :-1, :].cumsum(-2), (0, 0, 1, 0))
        hidden = self.activation(before + start.unsqueeze(-2))
        if not self._ordered:
            hidden = hidden.index_select(-2, self._order.argsort())
        return torch.einsum("...dh,dph->...dp", hidden, self.outer) + self.outer_bias

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[NADEState, Tensor]:
        """The sums before the first coordinate, and its parameters ``[*batch, 1, P]``."""
        shape = tuple(batch_shape)
        state = NADEState(self._start(shape, context).expand(*shape, -1), 0)
        return state, self._params(state)

    def step(self, state: NADEState, values: Tensor) -> tuple[NADEState, Tensor]:
        """Take the values ``[*batch, C]`` of a coordinate, give the parameters ``[*batch, 1, P]`` of the next."""
        require_one_coordinate(values, self.num_inputs)
        added = values.to(state.sums.dtype) @ self.inner[self._sequence[state.level]]
        state = NADEState(state.sums + added, state.level + 1)
        return state, self._params(state)

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all coordinates; where nothing records, one buffer of sums is written in place."""
        shape = tuple(batch_shape)
        if len(shape) != 1 or not may_write_in_place(self.inner):
            super().sweep(draw, shape, context)
            return
        sums = self._start(shape, context).expand(*shape, -1).clone()
        weights, readers, biases = self.inner.unbind(), self.outer.mT.unbind(), self.outer_bias.unbind()
        for level, index in enumerate(self._sequence):
            params = torch.addmm(biases[index], self.activation(sums), readers[index])
            values = draw(level, level + 1, params.unsqueeze(1))
            sums.addmm_(values.to(sums.dtype), weights[index])

    def _params(self, state: NADEState) -> Tensor:
        """The parameters of the coordinate after those seen, ``[*batch, 1, P]``; none after the last."""
        if state.level == self.features:
            return state.sums.new_zeros(*state.sums.shape[:-1], 0, self.num_outputs)
        index = self._sequence[state.level]
        return F.linear(self.activation(state.sums), self.outer[index], self.outer_bias[index]).unsqueeze(-2)

    def _start(self, batch_shape: Sequence[int], context: Tensor | None) -> Tensor:
        """The sums before any coordinate is seen, ``[*context_batch, H]``."""
        flat = flat_context(type(self).__name__, context, self.context_shape, batch_shape)
        return self.inner_bias if flat is None else self.inner_bias + self.context_layer(flat)
