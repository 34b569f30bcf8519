"""Networks of other libraries, rebuilt from plain layers with the weights copied.

Masked networks keep their masks, so an imported flow can be trained further and stays autoregressive.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors import IncrementalNetwork

__all__ = ["BlockNetwork", "MaskedLayer", "ReevaluatedNetwork", "ResidualLayers", "layers_of"]

State = tuple[Tensor, Tensor | None]


class MaskedLayer(nn.Module):
    """A linear layer whose weights are multiplied by a fixed mask.

    Args:
        layer: A linear layer; it may have a ``mask``.

    Example:
        >>> import torch
        >>> from probgen.flows.imported.networks import MaskedLayer
        >>> MaskedLayer(torch.nn.Linear(2, 3))(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    mask: Tensor | None

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.weight = nn.Parameter(layer.weight.detach().clone())
        bias: Tensor | None = layer.bias
        self.bias = None if bias is None else nn.Parameter(bias.detach().clone())
        mask = getattr(layer, "mask", None)
        self.register_buffer("mask", None if mask is None else mask.detach().to(self.weight).clone())

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` ``[*batch, n]`` to ``[*batch, m]``."""
        return F.linear(x, self.weight if self.mask is None else self.weight * self.mask, self.bias)


class ResidualLayers(nn.Module):
    """Layers around which the input is added.

    Args:
        layers: What is between the input and the sum.

    Example:
        >>> import torch
        >>> from probgen.flows.imported.networks import ResidualLayers
        >>> ResidualLayers(torch.nn.Identity())(torch.ones(2))
        tensor([2., 2.])
    """

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        """Add to ``x`` what the layers make of it."""
        return x + cast(Tensor, self.layers(x))


class BlockNetwork(nn.Module):
    """A first layer, blocks of two layers, a last layer: nflows' masked and unmasked residual networks.

    Args:
        network: A module with ``initial_layer``, ``blocks``, ``final_layer`` (and ``context_layer``) as nflows names them.
        num_context: How many of the last inputs are the context.

    Raises:
        ValueError: the network normalizes batches.

    Example:
        >>> from types import SimpleNamespace
        >>> import torch
        >>> from probgen.flows.imported.networks import BlockNetwork
        >>> linear = torch.nn.Linear
        >>> parts = SimpleNamespace(initial_layer=linear(2, 4), blocks=[], final_layer=linear(4, 3))
        >>> BlockNetwork(parts, num_context=0)(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(self, network: Any, num_context: int) -> None:
        super().__init__()
        self.num_context = num_context
        self.masked = getattr(network.initial_layer, "mask", None) is not None
        self.residual = bool(getattr(network, "use_residual_blocks", True))
        self.first, self.last = MaskedLayer(network.initial_layer), MaskedLayer(network.final_layer)
        self.activation: Callable[[Tensor], Tensor] = getattr(network, "activation", F.relu)
        with_context = self.masked and num_context > 0
        self.context = MaskedLayer(network.context_layer) if with_context else None
        self.blocks = nn.ModuleList(_Block(block, gated=not self.masked, context=num_context > 0) for block in network.blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map inputs, then contexts ``[*batch, n + num_context]`` to ``[*batch, m]``."""
        cut = x.shape[-1] - self.num_context
        seen, context = x[..., :cut], x[..., cut:]
        h = self.first(seen if self.masked else x)
        if self.context is not None:
            h = h + self.activation(self.context(context))
        if not self.residual:
            h = self.activation(h)
        for block in self.blocks:
            h = block(h, context)
        return cast(Tensor, self.last(h))


class _Block(nn.Module):
    """One block of nflows: residual with two layers, or one layer."""

    def __init__(self, block: Any, *, gated: bool, context: bool) -> None:
        super().__init__()
        if getattr(block, "use_batch_norm", False) or getattr(block, "batch_norm", None) is not None:
            raise ValueError("networks with batch normalization cannot be imported.")
        self.activation: Callable[[Tensor], Tensor] = block.activation
        layers = getattr(block, "linear_layers", None)
        self.residual = layers is not None
        self.gated = gated
        self.layers = nn.ModuleList(MaskedLayer(layer) for layer in (layers if layers is not None else [block.linear]))
        self.context = MaskedLayer(block.context_layer) if context and self.residual else None

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        if not self.residual:
            return self.activation(cast(Tensor, self.layers[0](x)))
        h = self.layers[0](self.activation(x))
        if self.context is not None and not self.gated:
            h = h + self.context(context)
        h = self.layers[1](self.activation(h))
        if self.context is not None and self.gated:
            h = F.glu(torch.cat([h, self.context(context)], -1), -1)
        return x + cast(Tensor, h)


class ReevaluatedNetwork(IncrementalNetwork):
    r"""Any autoregressive network as an incremental one: a step evaluates it again on what is known so far.

    Scoring costs one pass; the other direction one pass a level (``MADE`` needs one in all).

    Args:
        network: Maps ``[*batch, D + context]`` to ``[*batch, D * P]``, the numbers of a coordinate next to each other.
        levels: The coordinates of each level; what a coordinate is given lies on earlier levels.
        num_outputs: How many numbers a coordinate has, :math:`P`.
        context_features: Length of the context (0: none).

    Raises:
        ValueError: the levels are no partition of the coordinates.

    Example:
        >>> import torch
        >>> from probgen.flows.imported import ReevaluatedNetwork
        >>> masked = torch.nn.Linear(2, 2)
        >>> _ = masked.weight.data.tril_(-1)
        >>> network = ReevaluatedNetwork(masked, levels=((0,), (1,)), num_outputs=1)
        >>> state, params = network.init_state((5,))
        >>> network.step(state, torch.zeros(5, 1))[1].shape
        torch.Size([5, 1, 1])
    """

    def __init__(
        self, network: nn.Module, levels: Sequence[Sequence[int]], num_outputs: int, *, context_features: int = 0
    ) -> None:
        super().__init__()
        self._levels = tuple(tuple(int(index) for index in level) for level in levels)
        order = [index for level in self._levels for index in level]
        if sorted(order) != list(range(len(order))):
            raise ValueError(f"`levels` must hold each of 0 to {len(order) - 1} once; got {self._levels}.")
        self.network = network
        self.features, self.num_outputs = len(order), num_outputs
        self.context_shape = (context_features,) if context_features else None
        self.register_buffer("_rank", torch.tensor(order).argsort(), persistent=False)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The coordinates of each level."""
        return self._levels

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters ``[*batch, D, P]`` for ``values`` ``[*batch, D]``."""
        if context is not None:
            batch = torch.broadcast_shapes(values.shape[:-1], context.shape[:-1])
            values = torch.cat([values.expand(*batch, -1), context.expand(*batch, -1)], -1)
        raw: Tensor = self.network(values)
        return raw.unflatten(-1, (self.features, self.num_outputs))  # type: ignore[no-any-return]

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[State, Tensor]:
        """The empty state and the parameters of level 0."""
        like = context if context is not None else next(self.parameters())
        seen = like.new_empty((*batch_shape, 0))
        if context is not None:
            context = context.expand(*batch_shape, context.shape[-1])
        return (seen, context), self._level_outputs(seen, context, 0)

    def step(self, state: State, values: Tensor) -> tuple[State, Tensor]:
        """Take the values of a level, give the parameters of the next one."""
        seen, context = state
        seen = torch.cat([seen, values.to(seen.dtype)], -1)
        sizes = [sum(len(level) for level in self._levels[:count]) for count in range(len(self._levels) + 1)]
        if seen.shape[-1] not in sizes:
            raise ValueError(f"`values` must hold one whole level; got {values.shape[-1]} values.")
        return (seen, context), self._level_outputs(seen, context, sizes.index(seen.shape[-1]))

    def _level_outputs(self, seen: Tensor, context: Tensor | None, level: int) -> Tensor:
        if level == len(self._levels):
            return seen.new_empty((*seen.shape[:-1], 0, self.num_outputs))
        missing = self.features - seen.shape[-1]
        values = F.pad(seen, (0, missing)).index_select(-1, cast(Tensor, self._rank))
        chosen = torch.tensor(self._levels[level], device=seen.device)
        return cast(Tensor, self(values, context)).index_select(-2, chosen)


def layers_of(network: nn.Module) -> nn.Sequential:
    """A sequence of linear, masked and residual layers and activations, with the weights copied.

    Args:
        network: Modules in a row: linear layers (with or without a ``mask``), blocks called "Residual", activations of torch.

    Raises:
        ValueError: a layer is of another kind.

    Example:
        >>> import torch
        >>> from probgen.flows.imported.networks import layers_of
        >>> len(layers_of(torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())))
        2
    """
    found: list[nn.Module] = []
    for layer in network.children():
        if type(layer).__name__ == "Residual":
            found.append(ResidualLayers(layers_of(layer)))
        elif isinstance(getattr(layer, "weight", None), Tensor) and cast(Tensor, layer.weight).dim() == 2:
            found.append(MaskedLayer(cast(nn.Linear, layer)))
        elif type(layer).__module__.startswith("torch.nn.modules.activation"):
            found.append(copy.deepcopy(layer))
        else:
            raise ValueError(f"a network with {type(layer).__name__} cannot be imported.")
    return nn.Sequential(*found)
