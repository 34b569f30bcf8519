r"""All levels of a masked network for the arithmetic of one pass.

With units sorted by readiness the masked weights are block lower triangular. A *block* of consecutive levels (about 16
coordinates) takes everything computed before it in one large matrix product a layer; inside the block each level adds the thin
product with what the block itself has computed. Every weight below the diagonal is used once.

Two versions of the same loop: ``sweep_in_place`` writes into buffers ``[features, batch]``, allocated once, so that a level
appends rows; ``sweep_functional`` concatenates, so it can be differentiated (twice), mapped by ``vmap`` and compiled.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from probgen.distributions.bijectors.incremental import Draw

__all__ = ["SweepWeights", "may_write_in_place", "sweep_functional", "sweep_in_place"]

BLOCK = 16
"""Coordinates a block; between 8 and 32 the time hardly changes."""

Activation = Callable[[Tensor], Tensor]


class SweepWeights(NamedTuple):
    """Masked weights with inputs and outputs in level order, and the block boundaries.

    Attributes:
        weights: One matrix ``[out, in]`` a layer, masked.
        biases: One vector a layer.
        seen: ``seen[k]`` coordinates lie on levels before ``k``.
        ready: For each hidden layer, ``ready[k]`` units need only levels before ``k``.
        num_outputs: Numbers that a coordinate gets.
        residual: Whether every second hidden layer adds the layer two before it.
        num_inputs: Numbers that the network sees of a coordinate.
        skip: A matrix from the values straight to the outputs, masked, or None.
    """

    weights: list[Tensor]
    biases: list[Tensor]
    seen: tuple[int, ...]
    ready: tuple[tuple[int, ...], ...]
    num_outputs: int
    residual: bool
    num_inputs: int = 1
    skip: Tensor | None = None

    def blocks(self) -> Iterator[tuple[int, int]]:
        """Ranges of levels that hold about ``BLOCK`` coordinates."""
        first, last = 0, len(self.seen) - 1
        while first < last:
            stop = first + 1
            while stop < last and self.seen[stop + 1] - self.seen[first] <= BLOCK:
                stop += 1
            yield first, stop
            first = stop

    def known(self, level: int) -> list[int]:
        """How many inputs of each layer are known before the units of ``level`` are computed."""
        return [self.seen[level] * self.num_inputs, *(0 if level == 0 else ready[level - 1] for ready in self.ready)]

    def rows(self, level: int, stop: int) -> list[tuple[int, int]]:
        """For each layer the units that the levels ``level`` to ``stop`` add; for the last one the outputs."""
        known = self.known(level)[1:]
        spans = [(low, ready[stop - 1]) for low, ready in zip(known, self.ready, strict=True)]
        return [*spans, (self.seen[level] * self.num_outputs, self.seen[stop] * self.num_outputs)]


def may_write_in_place(like: Tensor) -> bool:
    """Whether nothing records, transforms or redirects tensor operations here, so that buffers may be written.

    Example:
        >>> import torch
        >>> from probgen.nn._sweep import may_write_in_place
        >>> with torch.no_grad():
        ...     may_write_in_place(torch.zeros(1))
        True
    """
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        return False
    if torch._C._functorch.peek_interpreter_stack() is not None or torch._C._len_torch_dispatch_stack() > 0:
        return False
    recording = torch.autograd.forward_ad._current_level >= 0
    kind = like.device.type
    casting = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return not recording and not casting and type(like) in (Tensor, torch.nn.Parameter)


def sweep_in_place(plan: SweepWeights, activation: Activation, draw: Draw, batch: int, offset: Tensor | None = None) -> None:
    """Run through all levels with buffers ``[features, batch]``.

    Args:
        plan: Weights and boundaries.
        activation: The elementwise activation.
        draw: See ``Draw``; it gets views of the buffers.
        batch: Batch size.
        offset: The context's contribution to the first layer, ``[batch, hidden]``.
    """
    buffers = _Buffers.allocate(plan, activation, batch, offset)
    for first, stop in plan.blocks():
        known = plan.known(first)
        for weight, total, source, width, (low, high) in zip(
            plan.weights, buffers.sums, buffers.inputs, known, plan.rows(first, stop), strict=True
        ):
            if width and high > low:
                total[low:high].addmm_(weight[low:high, :width], source[:width])
        if plan.skip is not None and known[0]:
            low, high = plan.rows(first, stop)[-1]
            buffers.sums[-1][low:high].addmm_(plan.skip[low:high, : known[0]], buffers.inputs[0][: known[0]])
        for level in range(first, stop):
            _level_in_place(plan, activation, draw, level, known, buffers)


class _Buffers(NamedTuple):
    """What one in-place sweep writes into, and its views by level (one ``split`` each: slicing in the loop costs more)."""

    sums: list[Tensor]  # pre-activations [units, batch] a layer, filled with the bias; the last one are the outputs
    inputs: list[Tensor]  # what each layer reads [units, batch]: the values, then the hidden units
    new_sums: list[tuple[Tensor, ...]]
    new_inputs: list[tuple[Tensor, ...]]
    new_rows: list[tuple[Tensor, ...]]
    params: tuple[Tensor, ...]  # outputs as [batch, n_k, P]
    rectify: bool  # pre-activations become activations where they stand

    @classmethod
    def allocate(cls, plan: SweepWeights, activation: Activation, batch: int, offset: Tensor | None) -> _Buffers:
        sums = [bias[:, None].repeat(1, batch) for bias in plan.biases]  # a copy also for a batch of one
        if offset is not None:
            sums[0] += offset.expand(batch, -1).mT
        rectify = isinstance(activation, torch.nn.ReLU) and not plan.residual
        hidden = sums[:-1] if rectify else [torch.empty_like(part) for part in sums[:-1]]
        inputs = [sums[0].new_empty(plan.seen[-1] * plan.num_inputs, batch), *hidden]
        sizes = _differences(plan.seen)
        widths = [size * plan.num_inputs for size in sizes]
        counts = [_differences((0, *ready[:-1])) for ready in plan.ready]
        outputs = sums[-1].view(plan.seen[-1], plan.num_outputs, batch).permute(2, 0, 1)
        return cls(
            sums,
            inputs,
            [total.split(count) for total, count in zip(sums, counts, strict=False)],
            [part.split(count) for part, count in zip(inputs, [widths, *counts], strict=True)],
            [
                weight.split(count)
                for weight, count in zip(plan.weights, [*counts, [size * plan.num_outputs for size in sizes]], strict=True)
            ],
            outputs.split(sizes, dim=1),
            rectify,
        )


def _level_in_place(
    plan: SweepWeights, activation: Activation, draw: Draw, level: int, known: list[int], buffers: _Buffers
) -> None:
    """Add what the block has computed itself, activate the new units, draw the level's values."""
    width = plan.seen[level] * plan.num_inputs
    for index, ready in enumerate(plan.ready):
        total = buffers.new_sums[index][level]
        if len(total):
            _add_product(total, buffers.new_rows[index][level], buffers.inputs[index], known[index], width)
            if plan.residual and index % 2 == 0 and index > 0:
                total += buffers.new_sums[index - 2][level]
            if buffers.rectify:
                total.relu_()
            else:
                buffers.new_inputs[index + 1][level].copy_(activation(total))
        width = ready[level]
    start, stop = plan.seen[level], plan.seen[level + 1]
    outputs = buffers.sums[-1][start * plan.num_outputs : stop * plan.num_outputs]
    _add_product(outputs, buffers.new_rows[-1][level], buffers.inputs[-1], known[-1], width)
    if plan.skip is not None:
        rows = plan.skip[start * plan.num_outputs : stop * plan.num_outputs]
        _add_product(outputs, rows, buffers.inputs[0], known[0], start * plan.num_inputs)
    buffers.new_inputs[0][level].copy_(draw(start, stop, buffers.params[level]).mT)


def _add_product(total: Tensor, rows: Tensor, source: Tensor, begin: int, width: int) -> None:
    """Add the product with the inputs ``begin:width``."""
    if width > begin:
        total.addmm_(rows.narrow(1, begin, width - begin), source.narrow(0, begin, width - begin))


def _differences(ends: tuple[int, ...]) -> list[int]:
    return [high - low for low, high in itertools.pairwise(ends)]


def sweep_functional(
    plan: SweepWeights, activation: Activation, draw: Draw, shape: tuple[int, ...], offset: Tensor | None = None
) -> None:
    """Run through all levels without writing into a tensor.

    Args:
        plan: Weights and boundaries.
        activation: The elementwise activation.
        draw: See ``Draw``.
        shape: Batch shape.
        offset: The context's contribution to the first layer, ``[*batch, hidden]``.
    """
    empty = plan.biases[0].new_empty((*shape, 0))
    inputs = [empty] * len(plan.weights)
    for first, stop in plan.blocks():
        known = plan.known(first)
        rows = plan.rows(first, stop)
        sums = [
            F.linear(source, weight[low:high, :width], bias[low:high])
            for weight, bias, source, width, (low, high) in zip(plan.weights, plan.biases, inputs, known, rows, strict=True)
        ]
        if offset is not None:
            sums[0] = sums[0] + offset[..., rows[0][0] : rows[0][1]]
        if plan.skip is not None and known[0]:
            sums[-1] = sums[-1] + F.linear(inputs[0], plan.skip[slice(*rows[-1]), : known[0]])
        recent = [empty] * len(inputs)
        for level in range(first, stop):
            recent = _level_functional(plan, activation, draw, level, known, sums, recent)
        inputs = [torch.cat([old, new], dim=-1) for old, new in zip(inputs, recent, strict=True)]


def _level_functional(
    plan: SweepWeights,
    activation: Activation,
    draw: Draw,
    level: int,
    known: list[int],
    sums: list[Tensor],
    recent: list[Tensor],
) -> list[Tensor]:
    """As ``_level_in_place``; returns what the block has computed so far, the values and each layer's units."""
    grown = list(recent)
    fresh: list[Tensor] = []
    for index, (low, high) in enumerate(plan.rows(level, level + 1)):
        begin = known[index]
        origin = _origin(plan, known, index)
        total = sums[index][..., low - origin : high - origin]
        width = grown[index].shape[-1]
        if width and high > low:
            total = total + F.linear(grown[index], plan.weights[index][low:high, begin : begin + width])
        if index == len(plan.ready):
            break
        if plan.residual and index % 2 == 0 and index > 0:
            total = total + fresh[index - 2]
        fresh.append(total)
        if high > low:
            grown[index + 1] = torch.cat([grown[index + 1], activation(total)], dim=-1)
    start, stop = plan.seen[level], plan.seen[level + 1]
    if plan.skip is not None and start * plan.num_inputs > known[0]:
        total = total + F.linear(grown[0], plan.skip[low:high, known[0] : start * plan.num_inputs])
    values = draw(start, stop, total.unflatten(-1, (stop - start, plan.num_outputs)))
    grown[0] = torch.cat([grown[0], values.to(grown[0].dtype)], dim=-1)
    return grown


def _origin(plan: SweepWeights, known: list[int], index: int) -> int:
    """The first row of a layer that a block computes."""
    return known[index + 1] if index < len(plan.ready) else known[0] // plan.num_inputs * plan.num_outputs
