r"""Causal networks on sequences and images: parameters of all positions in parallel, or of one position after another.

Positions are those of a grid, :math:`(T,)` or :math:`(H, W)`, in row-major order (raster order for images). The network sees
C channels of each, and gives P numbers for each. Images whose colors depend on each other within a pixel come in two kinds:

* a pixel is one position of C numbers, and the element knows how its colors depend on each other
  (``DiscretizedLogisticMixtureElement``);
* a color is a position of one number, ``ordered_channels=True``: red before green before blue, and then the next pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from probgen.distributions._checks import require_context
from probgen.distributions.bijectors.incremental import Draw, IncrementalNetwork, State
from probgen.distributions.events import batch_of, one_batch_dim
from probgen.nn._sweep import may_write_in_place
from probgen.nn.causal.stream import Stream

__all__ = ["CausalNetwork", "CausalState"]


class CausalState(NamedTuple):
    """What has been seen and computed so far; tensors are ``[*batch, ...]``.

    Attributes:
        canvas: The values seen, and zeros where none was seen yet, ``[*batch, C, *grid]``.
        context: The context ``[*batch, *context_shape]``, or None.
        level: Number of the level whose parameters were given last.
        memory: What the layers remember; see ``Stream``.

    Example:
        >>> from probgen.nn.causal import CausalState
        >>> CausalState._fields
        ('canvas', 'context', 'level', 'memory')
    """

    canvas: Tensor
    context: Tensor | None
    level: int
    memory: tuple[State, ...]


class CausalNetwork(IncrementalNetwork):
    r"""A network on a grid whose steps are its own code, run at one position (abstract).

    A subclass calls ``super().__init__`` and writes ``_run(canvas, context, stream)``:

    * without a stream, from values ``[N, C, *grid]`` to numbers for each position ``[N, P, *grid]`` (``[N, C * P, *grid]`` with
      ordered channels, the P numbers of a color next to each other), those of a position from values before it;
    * with a stream, the same at ``stream.position``, counted in row-major order: ``[N, P]`` (or ``[N, C * P]``). The canvas is
      zero where nothing was seen yet; its first layer reads it, all others get columns ``[N, channels]`` and the stream. With
      ordered channels a pixel is run once for each of its colors.

    Args:
        grid: Shape of the grid, ``(T,)`` or ``(H, W)``.
        num_outputs: How many numbers a coordinate gets, :math:`P`.
        channels: Channels C of the canvas.
        ordered_channels: Whether each channel is a coordinate of its own, after the channels before it.
        context_shape: Trailing shape of the context, or None.

    Raises:
        ValueError: a size is not positive.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import CausalNetwork, Pointwise
        >>> class RunningSum(CausalNetwork):  # the parameters at t from the sum of what came before
        ...     def __init__(self, length):
        ...         super().__init__((length,), num_outputs=2)
        ...         self.head = Pointwise(1, 2)
        ...
        ...     def _run(self, canvas, context, stream):
        ...         if stream is None:
        ...             return self.head(canvas.cumsum(-1) - canvas)
        ...         return self.head(canvas[..., : stream.position].sum(-1))
        >>> network, values = RunningSum(3), torch.randn(5, 3)
        >>> state, params = network.init_state((5,))
        >>> state, params = network.step(state, values[:, :1])
        >>> torch.allclose(params, network(values)[:, 1:2])
        True
    """

    def __init__(
        self,
        grid: Sequence[int],
        num_outputs: int,
        *,
        channels: int = 1,
        ordered_channels: bool = False,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not grid or min(*grid, channels, num_outputs) < 1:
            raise ValueError(
                f"`grid`, `channels` and `num_outputs` must be positive; got {tuple(grid)}, {channels} and {num_outputs}."
            )
        self.grid = tuple(grid)
        self.channels = channels
        self.ordered_channels = ordered_channels and channels > 1
        self.num_positions = math.prod(grid)
        self._colors = channels if self.ordered_channels else 1
        self.features = self.num_positions * self._colors
        self.num_inputs = 1 if self.ordered_channels else channels
        self.num_outputs = num_outputs
        self.context_shape = None if context_shape is None else tuple(context_shape)

    def _run(self, canvas: Tensor, context: Tensor | None, stream: Stream | None) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_run`.")

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """One coordinate a level: position after position, and in a position color after color."""
        colors = range(self._colors)
        return tuple((color * self.num_positions + position,) for position in range(self.num_positions) for color in colors)

    # ------------------------------------------------------------------------------------------------------------- at once

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All parameters in one pass.

        Args:
            values: ``[*batch, D]``, or ``[*batch, D * C]`` where a position holds C channels.
            context: ``[*batch, *context_shape]`` (broadcastable), if the network takes one.

        Returns:
            Parameters ``[*batch, D, P]``.

        Raises:
            ValueError: another number of values.
            ContextError: a missing context, or one of another shape.
        """
        width = self.features * self.num_inputs
        batch = batch_of(f"the values of {type(self).__name__}", values, (width,))
        require_context(type(self).__name__, context, self.context_shape, batch)
        shape = self.context_shape or ()
        if context is not None:
            batch = torch.Size(torch.broadcast_shapes(batch, context.shape[: context.dim() - len(shape)]))
            context = one_batch_dim(context, batch, shape)
        canvas = self._canvas(one_batch_dim(values, batch, (width,)))
        output = self._run(canvas, context, None)
        return self._by_coordinate(output.flatten(2)).reshape(*batch, self.features, self.num_outputs)

    def _canvas(self, rows: Tensor) -> Tensor:
        """Values ``[N, D * C]`` on the grid, ``[N, C, *grid]``."""
        if self.ordered_channels or self.channels == 1:
            return rows.reshape(len(rows), self.channels, *self.grid)
        return rows.reshape(len(rows), self.num_positions, self.channels).mT.reshape(len(rows), self.channels, *self.grid)

    def _by_coordinate(self, output: Tensor) -> Tensor:
        """Numbers ``[N, colors * P, positions]`` as ``[N, colors * positions, P]``."""
        colors = output.unflatten(1, (self._colors, self.num_outputs))
        return colors.mT.flatten(1, 2)  # type: ignore[no-any-return]

    # ------------------------------------------------------------------------------------------------------ one after another

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[CausalState, Tensor]:
        """The empty state and the parameters ``[*batch, 1, P]`` of the first coordinate."""
        shape, context = tuple(batch_shape), self._expanded(context, batch_shape)
        canvas = self._empty_canvas(shape if context is None else context.shape[: len(shape)])
        return self._advanced(CausalState(canvas, context, 0, ()), None)

    def step(self, state: CausalState, values: Tensor) -> tuple[CausalState, Tensor]:
        """Take the values ``[*batch, C]`` of a coordinate, give the parameters ``[*batch, 1, P]`` of the next."""
        wanted = (*state.canvas.shape[: -1 - len(self.grid)], self.num_inputs)
        if tuple(values.shape) != wanted:
            raise ValueError(f"`values` must have the shape {wanted} of one coordinate; got {tuple(values.shape)}.")
        canvas = state.canvas.clone()
        self._write(canvas, state.level, values)
        return self._advanced(CausalState(canvas, state.context, state.level + 1, state.memory), state.memory)

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all positions; where nothing records, with memories that are written in place."""
        if not may_write_in_place(next(self.parameters())):
            super().sweep(draw, batch_shape, context)
            return
        shape, count = tuple(batch_shape), math.prod(batch_shape)
        context = self._expanded(context, shape)
        context = None if context is None else context.reshape(count, *(self.context_shape or ()))
        canvas, memory = self._empty_canvas((count,)), None
        for level in range(self.features):
            stream = Stream(level // self._colors, memory, in_place=True)
            params = self._color(self._run(canvas, context, stream), level)
            memory = stream.memory
            values = draw(level, level + 1, params.reshape(*shape, 1, self.num_outputs))
            self._write(canvas, level, values.reshape(count, self.num_inputs))

    def _advanced(self, state: CausalState, memory: tuple[State, ...] | None) -> tuple[CausalState, Tensor]:
        """Run the network at the level of the state; no parameters after the last one."""
        batch = state.canvas.shape[: -1 - len(self.grid)]
        if state.level == self.features:
            return state, state.canvas.new_zeros(*batch, 0, self.num_outputs)
        count = batch.numel()
        stream = Stream(state.level // self._colors, _reshaped(memory, len(batch), (count,)))
        context = None if state.context is None else state.context.reshape(count, *(self.context_shape or ()))
        canvas = state.canvas.reshape(count, self.channels, *self.grid)
        params = self._color(self._run(canvas, context, stream), state.level)
        new = state._replace(memory=_reshaped(stream.memory, 1, tuple(batch)))
        return new, params.reshape(*batch, 1, self.num_outputs)

    def _color(self, column: Tensor, level: int) -> Tensor:
        """The numbers of one color of a pixel, ``[N, P]``."""
        start = level % self._colors * self.num_outputs
        return column[:, start : start + self.num_outputs]

    def _write(self, canvas: Tensor, level: int, values: Tensor) -> None:
        """Put the values ``[*batch, C]`` of a coordinate where they belong."""
        position, color = divmod(level, self._colors)
        place = canvas.flatten(-len(self.grid)).select(-1, position)
        if self.ordered_channels:
            place.select(-1, color).copy_(values.select(-1, 0))
        else:
            place.copy_(values)

    def _empty_canvas(self, batch: Sequence[int]) -> Tensor:
        return next(self.parameters()).new_zeros(*batch, self.channels, *self.grid)

    def _expanded(self, context: Tensor | None, batch_shape: Sequence[int]) -> Tensor | None:
        require_context(type(self).__name__, context, self.context_shape, tuple(batch_shape))
        return None if context is None else context.expand(*batch_shape, *(self.context_shape or ()))


def _reshaped(memory: State, batch_dims: int, batch: tuple[int, ...]) -> State:
    """The memories with other batch dimensions in front."""
    return pytree.tree_map_only(Tensor, lambda leaf: leaf.reshape((*batch, *leaf.shape[batch_dims:])), memory)
