r"""MADE: one masked network that gives the parameters of every coordinate from those before it.

:math:`\theta_i = \theta_i(x_{A_i}, c)` for all :math:`i` in one pass of

.. math::

    h_1 = \sigma\big((M_0 \odot W_0)\, x + C c + b_0\big), \quad
    h_{l+1} = \sigma\big((M_l \odot W_l)\, h_l + b_l\big), \quad
    \theta = (M_L \odot W_L)\, h_L + b_L,

with masks from ``masks.py``. Hidden units are sorted by the level at which they are ready, so the masks are block lower
triangular: sampling computes every unit once, and one sample costs the arithmetic of one pass (``_sweep.py``).

Orders and masks are no parameters: ``reordered`` gives the same weights another order, and other masks on demand. Trained with
a new order in every batch, one network holds :math:`D!` factorizations, and the mean of several is a law again:
:math:`p(x) = \frac1n \sum_k p_{\sigma_k}(x)`.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors.incremental import Draw, IncrementalNetwork
from probgen.nn._context import declared_context_shape, flat_context
from probgen.nn._sweep import SweepWeights, may_write_in_place, sweep_functional, sweep_in_place
from probgen.nn.masks import MaskPlan, adjacency_of_order, mask_plan, numbers_of, redrawn_plan, reordered_plan
from probgen.nn.mlp import residual_width

__all__ = ["MADE", "MADEState"]

FEW = 4
"""Up to so many numbers a coordinate are laid out number by number, so that each is a plain matrix for what uses it."""


class MADEState(NamedTuple):
    """What has been computed so far; every leaf is ``[*batch, ...]``, in level order.

    Attributes:
        values: The values seen, ``[*batch, n]``.
        hidden: For each hidden layer the units that are ready.
        offset: The context's contribution to the first layer ``[*batch, hidden[0]]`` (``[*batch, 0]`` without context).

    Example:
        >>> from probgen.nn import MADE
        >>> state, params = MADE(features=3, num_outputs=2, hidden=(4,)).init_state((5,))
        >>> state.values.shape, params.shape
        (torch.Size([5, 0]), torch.Size([5, 1, 2]))
    """

    values: Tensor
    hidden: tuple[Tensor, ...]
    offset: Tensor


class MADE(IncrementalNetwork):
    r"""A masked autoencoder: ``[*batch, D * C]`` to ``[*batch, D, P]``, output :math:`i` seeing what comes before :math:`i`.

    Args:
        features: How many coordinates :math:`D`.
        num_outputs: How many numbers it gives for a coordinate, :math:`P`.
        num_inputs: How many numbers it sees of a coordinate, :math:`C`, next to each other.
        hidden: Widths of the hidden layers, at least one.
        context_features: Width of the context (0: none); a context shape may be given instead.
        order: Which coordinate comes first, second, ...; None for their own order.
        adjacency: Booleans ``[D, D]`` instead of an order: entry ``[i, j]`` says that output ``i`` sees coordinate ``j``.
            The graph must be acyclic; coordinates of one level are computed in parallel.
        activation: Makes the elementwise activation.
        residual: Use residual blocks of two layers after the first; then ``hidden`` holds an odd number of equal widths.
        seed: None to spread the hidden units' sets evenly; a number to draw them at random (part of the architecture).
        skip: Also connect each output straight to the coordinates that it sees, linearly.
        dropout: Probability with which a hidden unit is dropped in a parallel pass while training; steps and sweeps drop none.

    Raises:
        ValueError: no hidden layer, both an order and an adjacency, one that does not fit, or one with a cycle.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation.
        https://arxiv.org/abs/1502.03509
        Durkan, Nash (2019). Autoregressive energy machines (residual MADE). https://arxiv.org/abs/1904.05626

    Example:
        >>> import torch
        >>> from probgen.nn import MADE
        >>> network = MADE(features=3, num_outputs=2, hidden=(16, 16), order=[2, 1, 0])
        >>> network(torch.zeros(5, 3)).shape, network.levels
        (torch.Size([5, 3, 2]), ((2,), (1,), (0,)))
    """

    _order: Tensor

    def __init__(
        self,
        features: int,
        num_outputs: int,
        *,
        num_inputs: int = 1,
        hidden: Sequence[int] = (128, 128),
        context_features: int | Sequence[int] = 0,
        order: Sequence[int] | None = None,
        adjacency: Tensor | None = None,
        activation: Callable[[], nn.Module] = nn.ReLU,
        residual: bool = False,
        seed: int | None = None,
        skip: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not hidden or features < 1 or num_inputs < 1:
            raise ValueError(
                f"`hidden`, `features` and `num_inputs` must not be empty; got {tuple(hidden)}, {features} and {num_inputs}."
            )
        if residual:
            residual_width(hidden)
        self.features, self.num_inputs, self.num_outputs, self.residual = features, num_inputs, num_outputs, residual
        self.context_shape = declared_context_shape(context_features)
        graph = _graph(features, order, adjacency)
        plan = mask_plan(graph, hidden, constant=self.context_shape is not None, tied=residual, seed=seed)
        widths = [features * num_inputs, *hidden, features * num_outputs]
        self.layers = nn.ModuleList(nn.Linear(n, m) for n, m in itertools.pairwise(widths))
        self.activation = activation()
        self._rectify = type(self.activation) is nn.ReLU and not residual
        self._by_number = num_outputs <= FEW
        self.skip = nn.Linear(widths[0], widths[-1], bias=False) if skip else None
        self.dropout = nn.Dropout(dropout) if dropout else None
        if self.context_shape is not None:
            self.context_layer = nn.Linear(math.prod(self.context_shape), hidden[0], bias=False)
        self._adopt(plan, graph)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The coordinates of each topological level."""
        return self._levels

    def reordered(self, order: Sequence[int], *, seed: int | None = None) -> MADE:
        """The network with the same parameters and another order: what order-agnostic training and ensembles are made of.

        A hidden unit that saw the first m coordinates sees the first m of the new order.

        Args:
            order: Which coordinate comes first, second, ...
            seed: None to keep how many coordinates each hidden unit sees; a number to draw that anew, too (other masks).

        Returns:
            A network that shares all parameters with this one; training either trains both.

        Raises:
            ValueError: ``order`` is no permutation, or coordinates share a level of the network's graph.

        Example:
            >>> import torch
            >>> from probgen.distributions import Autoregressive, Mixture
            >>> from probgen.distributions.elements import BernoulliElement
            >>> from probgen.nn import MADE
            >>> network = MADE(4, 1, hidden=(16, 16))
            >>> members = [network.reordered(order, seed=k) for k, order in enumerate([(0, 1, 2, 3), (3, 1, 0, 2)])]
            >>> law = Mixture([Autoregressive(member, (4,), BernoulliElement()) for member in members], torch.zeros(2))
            >>> states = torch.cartesian_prod(*[torch.arange(2.0)] * 4)
            >>> (law.log_prob(states).exp().sum() - 1).abs().item() < 1e-5
            True
        """
        plan = reordered_plan(self._plan, order)
        if seed is not None:
            plan = redrawn_plan(plan, seed, constant=self.context_shape is not None, tied=self.residual)
        other = copy.copy(self)
        other._buffers, other._modules = dict(self._buffers), dict(self._modules)
        other._adopt(plan, adjacency_of_order([level[0] for level in plan.levels]))
        return other

    def _adopt(self, plan: MaskPlan, graph: Tensor) -> None:
        """Take over masks, and what steps and sweeps need to know of them."""
        self._plan, self._levels, self._seen, self._ready = plan, plan.levels, plan.seen, plan.ready
        like = self._bias(0)
        for index, mask in enumerate(plan.masks):
            rows = self._repeated(mask) if index == len(plan.ready) else mask
            rows = rows.repeat_interleave(self.num_inputs, 1) if index == 0 else rows
            self.register_buffer(f"mask_{index}", rows.to(like), persistent=False)
        if self.skip is not None:
            rows = self._repeated(graph.repeat_interleave(self.num_inputs, 1))
            self.register_buffer("mask_skip", rows.to(like), persistent=False)
        coordinates = torch.tensor([index for level in plan.levels for index in level])
        self._ordered = bool((coordinates == torch.arange(self.features)).all())
        self.register_buffer("_order", coordinates.to(like.device), persistent=False)
        self._sorted = plan.units is None
        for index, units in enumerate(plan.units or ()):
            self.register_buffer(f"_units_{index}", units.to(like.device), persistent=False)

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters in one pass.

        Args:
            values: ``[*batch, D * C]``.
            context: ``[*batch, *context_shape]`` (broadcastable), if the network takes one.

        Returns:
            Parameters ``[*batch, D, P]``.
        """
        weights, biases = self._weights_and_biases()
        offset, values = self._offset(values.shape[:-1], context), values.to(weights[0].dtype)  # float64 data are welcome
        skip, h = None, values
        for index, (weight, bias) in enumerate(zip(weights[:-1], biases, strict=False)):
            h = F.linear(h, weight, bias)
            h = h if index or offset is None else h + offset
            if self.residual and index % 2 == 0:
                h = skip = h if skip is None else h + skip
            h = h.relu_() if self._rectify else self.activation(h)
            h = h if self.dropout is None else self.dropout(h)
        raw = F.linear(h, weights[-1], biases[-1])
        if self.skip is not None:
            raw = raw + F.linear(values, self.skip.weight * self.get_buffer("mask_skip"))
        if self._by_number:
            return raw.unflatten(-1, (self.num_outputs, self.features)).mT  # type: ignore[no-any-return]
        return raw.unflatten(-1, (self.features, self.num_outputs))  # type: ignore[no-any-return]

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[MADEState, Tensor]:
        """The empty state and the parameters ``[*batch, n_0, P]`` of level 0."""
        shape = tuple(batch_shape)
        bias = self._bias(0)
        offset = self._offset(shape, context)
        empty = bias.new_empty((*shape, 0))
        offset = empty if offset is None else offset.expand(*shape, -1)
        return self._advance(empty, (empty,) * len(self._ready), offset)

    def step(self, state: MADEState, values: Tensor) -> tuple[MADEState, Tensor]:
        """Take the values ``[*batch, n_k * C]`` of a level, give the parameters ``[*batch, n_{k+1}, P]`` of the next."""
        seen = torch.cat([state.values, values.to(state.values.dtype)], dim=-1)
        if seen.shape[-1] % self.num_inputs or seen.shape[-1] // self.num_inputs not in self._seen:
            raise ValueError(
                f"`values` must hold one whole level; got {values.shape[-1]} after {state.values.shape[-1]} values."
            )
        return self._advance(seen, state.hidden, state.offset)

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all levels at the cost of one pass: in place where nothing records, else functionally."""
        shape = tuple(batch_shape)
        weights = self._sweep_weights()
        offset = self._offset(shape, context)
        offset = None if offset is None else self._units(offset, 0, slice(None))
        if len(shape) == 1 and may_write_in_place(weights.biases[0]):
            sweep_in_place(weights, self.activation, draw, shape[0], offset)
        else:
            sweep_functional(weights, self.activation, draw, shape, offset)

    def _advance(self, seen: Tensor, hidden: tuple[Tensor, ...], offset: Tensor) -> tuple[MADEState, Tensor]:
        """Compute the units that have just become ready, and the parameters of the level that they complete."""
        level = self._seen.index(seen.shape[-1] // self.num_inputs)
        source, grown = seen, []
        before: list[Tensor] = []
        for index, ready in enumerate(self._ready):
            new = slice(hidden[index].shape[-1], ready[level])
            weight = self._columns(self._masked(index, new), index, source.shape[-1])
            h = F.linear(source, weight, self._units(self._bias(index), index, new))
            if index == 0 and self.context_shape is not None:
                h = h + self._units(offset, 0, new)
            if self.residual and index % 2 == 0 and index > 0:
                h = h + before[-2]
            before.append(h)
            source = torch.cat([hidden[index], self.activation(h).to(hidden[index].dtype)], dim=-1)
            grown.append(source)
        return MADEState(seen, tuple(grown), offset), self._level_outputs(seen, source, level)

    def _level_outputs(self, seen: Tensor, source: Tensor, level: int) -> Tensor:
        count = 0 if level == len(self._levels) else len(self._levels[level])
        chosen = self._order[self._seen[level] : self._seen[level] + count]
        last = len(self._ready)
        rows = self._of_coordinates(self._columns(self._masked(last, slice(None)), last, source.shape[-1]), chosen)
        params = F.linear(source, rows, self._of_coordinates(self._bias(-1), chosen))
        if self.skip is not None:
            rows = self._of_coordinates(self.skip.weight, chosen) * self._of_coordinates(self.get_buffer("mask_skip"), chosen)
            params = params + F.linear(seen, self._columns(rows, 0, seen.shape[-1]))
        return params.unflatten(-1, (count, self.num_outputs))  # type: ignore[no-any-return]

    def _columns(self, weight: Tensor, index: int, width: int) -> Tensor:
        """The first ``width`` inputs of a layer, in level order."""
        if self._ordered if index == 0 else self._sorted:
            return weight[:, :width]
        places = self._inputs_in_order() if index == 0 else self.get_buffer(f"_units_{index - 1}")
        return weight.index_select(1, places[:width])

    def _units(self, numbers: Tensor, index: int, chosen: slice) -> Tensor:
        """Numbers ``[..., units]`` of some units of a hidden layer, counted in the order in which they become ready."""
        if self._sorted:
            return numbers[..., chosen]
        return numbers.index_select(-1, self.get_buffer(f"_units_{index}")[chosen])

    def _inputs_in_order(self) -> Tensor:
        """The numbers that the network sees, coordinate after coordinate in level order."""
        return numbers_of(self._order, self.num_inputs)

    def _masked(self, index: int, rows: slice) -> Tensor:
        """Rows of a masked weight, counted in the order in which hidden units become ready."""
        weight: Tensor = self.layers[index].weight  # type: ignore[assignment]
        mask = self.get_buffer(f"mask_{index}")
        if self._sorted or index == len(self._ready):
            return weight[rows] * mask[rows]
        chosen = self.get_buffer(f"_units_{index}")[rows]
        return weight.index_select(0, chosen) * mask.index_select(0, chosen)

    def _weights_and_biases(self) -> tuple[list[Tensor], list[Tensor]]:
        layers = list(self.layers)
        weights = [layer.weight * self._buffers[f"mask_{index}"] for index, layer in enumerate(layers)]  # type: ignore[operator]
        return weights, [layer.bias for layer in layers]  # type: ignore[misc]

    def _repeated(self, mask: Tensor) -> Tensor:
        """The last layer's mask: a row a coordinate becomes a row an output."""
        return mask.repeat(self.num_outputs, 1) if self._by_number else mask.repeat_interleave(self.num_outputs, 0)

    def _of_coordinates(self, rows: Tensor, chosen: Tensor) -> Tensor:
        """The last layer's rows for the coordinates ``chosen``, all numbers of one after the other."""
        if self._by_number:
            table: Tensor = rows.unflatten(0, (self.num_outputs, self.features)).index_select(1, chosen).transpose(0, 1)
        else:
            table = rows.unflatten(0, (self.features, self.num_outputs)).index_select(0, chosen)
        return table.flatten(0, 1)

    def _bias(self, index: int) -> Tensor:
        return self.layers[index].bias  # type: ignore[return-value]

    def _offset(self, batch_shape: Sequence[int], context: Tensor | None) -> Tensor | None:
        """The context's contribution to the first layer, ``[*context_batch, hidden[0]]``."""
        flat = flat_context("MADE", context, self.context_shape, batch_shape)
        return None if flat is None else self.context_layer(flat.to(self.context_layer.weight.dtype))

    def _sweep_weights(self) -> SweepWeights:
        weights, biases = self._weights_and_biases()
        skip = None if self.skip is None else self.skip.weight * self.get_buffer("mask_skip")
        if not self._ordered:
            weights[0] = weights[0].index_select(1, self._inputs_in_order())
            skip = None if skip is None else skip.index_select(1, self._inputs_in_order())
        if self._by_number or not self._ordered:
            weights[-1] = self._of_coordinates(weights[-1], self._order)
            biases[-1] = self._of_coordinates(biases[-1], self._order)
            skip = None if skip is None else self._of_coordinates(skip, self._order)
        for index in range(0 if self._sorted else len(self._ready)):
            units = self.get_buffer(f"_units_{index}")
            weights[index], biases[index] = weights[index].index_select(0, units), biases[index].index_select(0, units)
            weights[index + 1] = weights[index + 1].index_select(1, units)
        return SweepWeights(weights, biases, self._seen, self._ready, self.num_outputs, self.residual, self.num_inputs, skip)


def _graph(features: int, order: Sequence[int] | None, adjacency: Tensor | None) -> Tensor:
    """The adjacency that an order, an adjacency or neither of them means."""
    if adjacency is None:
        graph = adjacency_of_order(range(features) if order is None else order)
    elif order is None:
        graph = torch.as_tensor(adjacency).bool().cpu()
    else:
        raise ValueError("give `order` or `adjacency`, not both.")
    if tuple(graph.shape) != (features, features):
        raise ValueError(f"`order` or `adjacency` must be for {features} coordinates; got the shape {tuple(graph.shape)}.")
    return graph
