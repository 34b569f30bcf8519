r"""Compiled steps: one position of a causal network as one compiled function, for long draws.

A step of an eager network is some two hundred small tensor operations, and most of its time is spent on calling them. Here the
network's own code is recorded once at a position that is a tensor,

.. math:: (t, x, s, \theta) \mapsto \text{parameters at } t, \qquad s \text{ written in place,}

with the values x, the memories s and all weights :math:`\theta` as inputs, and compiled. Nothing of a tensor's value is in the
recording, so weights may change between draws. It is used again only for the same shapes, strides, dtypes, device, module
structure and training mode.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from probgen.distributions.bijectors.incremental import Draw, IncrementalNetwork, State
from probgen.nn._sweep import may_write_in_place
from probgen.nn.causal.network import CausalNetwork
from probgen.nn.causal.stream import Stream

__all__ = ["CompiledSteps"]

Backend = Callable[[torch.fx.GraphModule, list[Tensor]], Callable[..., Any]]
"""From a recorded step and examples of its inputs to a function with the same inputs and outputs."""


class CompiledSteps(IncrementalNetwork):
    """A causal network whose sweeps, and so the draws of its law, run a compiled step; all else is the network's own.

    The first draw of each batch size compiles, which takes seconds; after that a position costs about a third. Where gradients
    are recorded, or under function transforms or autocast, the network's own sweep runs.

    Args:
        network: A causal network that can be run at a tensor position (``accepts_tensor_positions``), such as ``WaveNet``;
            shared, not copied.
        backend: ``"inductor"``, or a function from a recorded graph and its inputs to what shall run.

    Raises:
        TypeError: ``network`` cannot be run at a tensor position.

    Example:
        >>> import torch
        >>> from probgen.nn import CompiledSteps, WaveNet
        >>> network = WaveNet(20, values=8, dilations=2, channels=4)
        >>> fast = CompiledSteps(network, backend=lambda graph, inputs: graph)
        >>> seen, codes = [], torch.randint(8, (3, 20)).float()
        >>> def draw(start, stop, params):
        ...     seen.append(params)
        ...     return codes[:, start:stop]
        >>> with torch.no_grad():
        ...     fast.sweep(draw, (3,))
        >>> torch.allclose(torch.cat(seen, 1), network(codes), atol=1e-5), fast.recordings
        (True, 1)
    """

    def __init__(self, network: CausalNetwork, backend: str | Backend = "inductor") -> None:
        super().__init__()
        if not getattr(network, "accepts_tensor_positions", False):
            raise TypeError(f"`network` must accept tensor positions, as WaveNet does; {type(network).__name__} does not.")
        self.network = network
        self.features, self.num_inputs, self.num_outputs = network.features, network.num_inputs, network.num_outputs
        self.context_shape = network.context_shape
        self._backend = backend
        self._programs: dict[Hashable, _Program] = {}

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Those of the network."""
        return self.network.levels

    @property
    def recordings(self) -> int:
        """How many steps have been recorded so far."""
        return len(self._programs)

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """The parallel pass of the network."""
        params: Tensor = self.network(values, context)
        return params

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[State, Tensor]:
        """As the network's."""
        return self.network.init_state(batch_shape, context)

    def step(self, state: State, values: Tensor) -> tuple[State, Tensor]:
        """As the network's, not compiled: it keeps the state that it was given."""
        return self.network.step(state, values)

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all positions, the first as it is and all others by the compiled step."""
        network, shape, count = self.network, tuple(batch_shape), math.prod(batch_shape)
        if count == 0 or not may_write_in_place(next(self.parameters())):
            network.sweep(draw, batch_shape, context)
            return
        context = network._expanded(context, shape)
        context = None if context is None else context.reshape(count, *(self.context_shape or ()))
        canvas, colors = network._empty_canvas((count,)), self.features // network.num_positions
        memory: tuple[State, ...] | None = None
        run: Callable[[int], Tensor] | None = None
        for level in range(self.features):
            position = level // colors
            if position == 0:
                stream = Stream(0, memory, in_place=True)
                column, memory = network._run(canvas, context, stream), stream.memory
            else:
                run = run or self._runner(canvas, context, memory)
                column = run(position)
            params = network._color(column, level).reshape(*shape, 1, self.num_outputs)
            values = draw(level, level + 1, params)
            network._write(canvas, level, values.reshape(count, self.num_inputs))

    def _runner(self, canvas: Tensor, context: Tensor | None, memory: State) -> Callable[[int], Tensor]:
        """The compiled step on this canvas and these memories."""
        leaves, tree = pytree.tree_flatten(memory)
        weights = {**dict(self.network.named_parameters()), **dict(self.network.named_buffers())}
        told = [] if context is None else [context]
        now = torch.zeros((), dtype=torch.long, device=canvas.device)
        inputs = [now, canvas, *told, *leaves, *(weight.detach() for weight in weights.values())]
        key = (str(self.network), self.network.training, tuple(weights), tree, bool(told), *map(_kind, inputs))
        if key not in self._programs:
            self._programs[key] = _Program(self.network, tuple(weights), tree, bool(told), inputs, self._backend)
        program, first = self._programs[key], 2 + len(told)

        def run(position: int) -> Tensor:
            now.fill_(position)
            column, *renewed = program.step(*inputs)
            for index, leaf in zip(program.renewed, renewed, strict=True):
                inputs[first + index] = leaf
            return cast(Tensor, column)

        return run

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_programs": {}}


class _Program:
    """One recorded and compiled step: position, canvas, context, memories and weights to the column and renewed memories."""

    def __init__(
        self,
        network: CausalNetwork,
        names: tuple[str, ...],
        tree: pytree.TreeSpec,
        told: bool,  # noqa: FBT001
        inputs: list[Tensor],
        backend: str | Backend,
    ) -> None:
        from torch.fx.experimental.proxy_tensor import make_fx

        runs, size = _Run(network), tree.num_leaves
        self.renewed: list[int] = []

        def step(now: Tensor, canvas: Tensor, *rest: Tensor) -> list[Tensor]:
            context, rest = (rest[0], rest[1:]) if told else (None, rest)
            stream = Stream(cast(int, now), pytree.tree_unflatten(rest[:size], tree), in_place=True)
            state = {f"network.{name}": weight for name, weight in zip(names, rest[size:], strict=True)}
            column = torch.func.functional_call(runs, state, (canvas, context, stream))
            after = pytree.tree_leaves(stream.memory)
            self.renewed = [k for k, (old, new) in enumerate(zip(rest[:size], after, strict=True)) if old is not new]
            return [column, *(after[k] for k in self.renewed)]

        graph = make_fx(step, tracing_mode="fake")(*inputs)
        if backend == "inductor":
            from torch import _inductor

            self.step: Callable[..., Any] = cast(Any, _inductor).compile(graph, inputs)
        else:
            self.step = cast(Backend, backend)(graph, inputs)


class _Run(nn.Module):
    """The code of a network as the forward pass of a module, whose weights ``functional_call`` can replace."""

    def __init__(self, network: CausalNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, canvas: Tensor, context: Tensor | None, stream: Stream) -> Tensor:
        return self.network._run(canvas, context, stream)


def _kind(tensor: Tensor) -> tuple[Any, ...]:
    return tuple(tensor.shape), tensor.stride(), tensor.dtype, tensor.device
