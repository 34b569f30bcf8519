r"""Which unit of a masked network may see which: the masks that make its outputs autoregressive.

Output :math:`i` may depend on the set :math:`A_i` of coordinates, a row of the *adjacency*; for an order these are the
coordinates before :math:`i`. Every hidden unit :math:`u` is given one of those sets, :math:`S_u`, and may see coordinate
:math:`j` if :math:`j \in S_u`, unit :math:`v` if :math:`S_v \subseteq S_u`; output :math:`i` sees :math:`u` if
:math:`S_u \subseteq A_i`. The *level* of a coordinate is the longest path of parents that leads to it. A unit is ready at
level :math:`k` when all of :math:`S_u` lies on levels before :math:`k`; sorted by that, every mask is block lower triangular,
and level :math:`k` needs only the units that have just become ready.

References:
    Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation.
    https://arxiv.org/abs/1502.03509
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = [
    "MaskPlan",
    "adjacency_of_order",
    "checked_order",
    "mask_plan",
    "numbers_of",
    "redrawn_plan",
    "reordered_plan",
    "require_one_coordinate",
    "topological_levels",
]


@dataclass(frozen=True)
class MaskPlan:
    """Masks and block boundaries of a masked network.

    Attributes:
        levels: The coordinates of each topological level.
        masks: One boolean mask ``[out, in]`` a layer, inputs and outputs in the coordinates' own order; the last one
            has a row a coordinate.
        seen: ``seen[k]`` coordinates lie on levels before ``k``; ``len(levels) + 1`` numbers.
        ready: For each hidden layer, ``ready[k]`` units may be computed from levels before ``k``; ``len(levels) + 1`` numbers.
        units: For each hidden layer its units in the order in which they become ready; None where they stand in that order.

    Example:
        >>> from probgen.nn.masks import adjacency_of_order, mask_plan
        >>> plan = mask_plan(adjacency_of_order(range(3)), hidden=(4,))
        >>> plan.seen, plan.ready
        ((0, 1, 2, 3), ((0, 2, 4, 4),))
    """

    levels: tuple[tuple[int, ...], ...]
    masks: tuple[Tensor, ...]
    seen: tuple[int, ...]
    ready: tuple[tuple[int, ...], ...]
    units: tuple[Tensor, ...] | None = None


def adjacency_of_order(order: Sequence[int]) -> Tensor:
    """The adjacency of an autoregressive order: each coordinate depends on all that come before it.

    Args:
        order: A permutation of the coordinates; ``order[0]`` comes first.

    Returns:
        Booleans ``[D, D]``; entry ``[i, j]`` says that output ``i`` sees coordinate ``j``.

    Raises:
        ValueError: ``order`` is not a permutation.

    Example:
        >>> from probgen.nn.masks import adjacency_of_order
        >>> adjacency_of_order([1, 0]).int()
        tensor([[0, 1],
                [0, 0]], dtype=torch.int32)
    """
    if sorted(order) != list(range(len(order))):
        raise ValueError(f"`order` must be a permutation of 0 to {len(order) - 1}; got {tuple(order)}.")
    rank = torch.tensor(list(order)).argsort()
    return rank[:, None] > rank[None, :]


def checked_order(order: Sequence[int] | None, features: int) -> tuple[int, ...]:
    """An order of a number of coordinates; None means their own.

    Args:
        order: A permutation of the coordinates, or None.
        features: How many coordinates there are.

    Raises:
        ValueError: ``order`` is not a permutation of them.

    Example:
        >>> from probgen.nn.masks import checked_order
        >>> checked_order(None, 3), checked_order([1, 0], 2)
        ((0, 1, 2), (1, 0))
    """
    sequence = tuple(range(features) if order is None else order)
    if sorted(sequence) != list(range(features)):
        raise ValueError(f"`order` must be a permutation of 0 to {features - 1}; got {sequence}.")
    return sequence


def require_one_coordinate(values: Tensor, num_inputs: int) -> None:
    """Check what a step takes: the numbers of one coordinate, ``[*batch, C]``.

    Args:
        values: The values.
        num_inputs: How many numbers are seen of a coordinate, C.

    Raises:
        ValueError: there are more or fewer.

    Example:
        >>> import torch
        >>> from probgen.nn.masks import require_one_coordinate
        >>> require_one_coordinate(torch.zeros(5, 3), 2)
        Traceback (most recent call last):
            ...
        ValueError: `values` must end with the 2 numbers of one coordinate; got (5, 3).
    """
    if values.shape[-1:] != (num_inputs,):
        raise ValueError(f"`values` must end with the {num_inputs} numbers of one coordinate; got {tuple(values.shape)}.")


def numbers_of(coordinates: Tensor, count: int) -> Tensor:
    """Where the numbers of coordinates stand, coordinate after coordinate, if each has several next to each other.

    Args:
        coordinates: Integers ``[n]``.
        count: How many numbers a coordinate has.

    Returns:
        Integers ``[n * count]``.

    Example:
        >>> import torch
        >>> from probgen.nn.masks import numbers_of
        >>> numbers_of(torch.tensor([2, 0]), 2)
        tensor([4, 5, 0, 1])
    """
    if count == 1:
        return coordinates
    return (coordinates[:, None] * count + torch.arange(count, device=coordinates.device)).flatten()


def topological_levels(adjacency: Tensor) -> tuple[tuple[int, ...], ...]:
    """The coordinates by the length of the longest path that leads to them.

    Args:
        adjacency: Booleans ``[D, D]``, as ``adjacency_of_order`` returns.

    Raises:
        ValueError: the graph has a cycle (or a coordinate that depends on itself).

    Example:
        >>> import torch
        >>> from probgen.nn.masks import topological_levels
        >>> topological_levels(torch.tensor([[0, 0, 0], [0, 0, 0], [1, 1, 0]]).bool())
        ((0, 1), (2,))
    """
    waiting = adjacency.clone()
    known = torch.zeros(len(adjacency), dtype=torch.bool)
    levels = []
    while not bool(known.all()):
        free = ~known & ~waiting.any(1)
        if not bool(free.any()):
            cycle = torch.nonzero(~known).flatten().tolist()
            raise ValueError(f"`adjacency` must not have cycles; the coordinates {cycle} wait for each other.")
        levels.append(tuple(torch.nonzero(free).flatten().tolist()))
        known = known | free
        waiting[:, free] = False
    return tuple(levels)


def mask_plan(
    adjacency: Tensor, hidden: Sequence[int], *, constant: bool = False, tied: bool = False, seed: int | None = None
) -> MaskPlan:
    """Give every hidden unit the set of coordinates that it may see.

    Args:
        adjacency: Booleans ``[D, D]``, as ``adjacency_of_order`` returns.
        hidden: Widths of the hidden layers.
        constant: Also use units that see no coordinate (they see the context).
        tied: Give all layers the same sets, as residual blocks need (then the widths are equal).
        seed: None to spread the sets evenly; a seed to draw them at random.

    Raises:
        ValueError: the graph has a cycle.

    Example:
        >>> from probgen.nn.masks import adjacency_of_order, mask_plan
        >>> plan = mask_plan(adjacency_of_order(range(3)), hidden=(4,))
        >>> plan.masks[0].int()
        tensor([[1, 0, 0],
                [1, 0, 0],
                [1, 1, 0],
                [1, 1, 0]], dtype=torch.int32)
    """
    levels = topological_levels(adjacency)
    level_of = torch.empty(len(adjacency), dtype=torch.long)
    for number, level in enumerate(levels):
        level_of[list(level)] = number
    sets, ready = _unit_sets(adjacency, level_of, constant=constant)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    kinds = [_spread(len(sets), width, generator) for width in hidden]
    if tied:
        kinds = [kinds[0]] * len(hidden)
    contains = _contains(sets, sets)
    masks = [sets[kinds[0]]]
    masks += [contains[after][:, before] for before, after in itertools.pairwise(kinds)]
    masks.append(_contains(adjacency, sets)[:, kinds[-1]])
    seen = [0]
    for level in levels:
        seen.append(seen[-1] + len(level))
    ends = tuple(tuple(int((ready[kind] <= k).sum()) for k in range(len(levels) + 1)) for kind in kinds)
    return MaskPlan(levels, tuple(masks), tuple(seen), ends)


def reordered_plan(plan: MaskPlan, order: Sequence[int]) -> MaskPlan:
    """The masks for another order: a unit that saw the first m coordinates sees the first m of the new order.

    Args:
        plan: Masks for an order (each level one coordinate).
        order: A permutation of the coordinates.

    Raises:
        ValueError: the plan is not one of an order, or ``order`` is no permutation of its coordinates.

    Example:
        >>> from probgen.nn.masks import adjacency_of_order, mask_plan, reordered_plan
        >>> plan = reordered_plan(mask_plan(adjacency_of_order(range(3)), hidden=(2,)), [2, 0, 1])
        >>> plan.levels, plan.masks[0].int()
        (((2,), (0,), (1,)), tensor([[0, 0, 1],
                [1, 0, 1]], dtype=torch.int32))
    """
    before, after = [index for level in plan.levels for index in level], [int(index) for index in order]
    if len(plan.levels) < len(before):
        raise ValueError(
            "only the masks of an order can be reordered; these are of a graph in which coordinates share a level."
        )
    if sorted(after) != sorted(before):
        raise ValueError(f"`order` must be a permutation of 0 to {len(before) - 1}; got {tuple(after)}.")
    source = torch.empty(len(before), dtype=torch.long)
    source[after] = torch.tensor(before)  # whose place in the old order a coordinate takes
    masks = [plan.masks[0][:, source], *plan.masks[1:]]
    masks[-1] = masks[-1][source]
    return replace(plan, levels=tuple((index,) for index in after), masks=tuple(masks))


def redrawn_plan(plan: MaskPlan, seed: int, *, constant: bool = False, tied: bool = False) -> MaskPlan:
    """Other masks for the order of a plan: each hidden unit draws anew how many coordinates it sees.

    Args:
        plan: Masks for an order.
        seed: Of the draws.
        constant: Also use units that see no coordinate.
        tied: Give all layers the same sets.

    Example:
        >>> from probgen.nn.masks import adjacency_of_order, mask_plan, redrawn_plan
        >>> plan = redrawn_plan(mask_plan(adjacency_of_order(range(4)), hidden=(5,)), seed=0)
        >>> plan.masks[0].sum(1), plan.units
        (tensor([3, 1, 3, 1, 2]), (tensor([1, 3, 4, 0, 2]),))
    """
    order = [index for level in plan.levels for index in level]
    rank = torch.tensor(order).argsort()
    lowest = 0 if constant or len(order) == 1 else 1
    generator = torch.Generator().manual_seed(seed)
    widths = [len(mask) for mask in plan.masks[:-1]]
    degrees = [torch.randint(lowest, max(len(order), 1), (width,), generator=generator) for width in widths]
    if tied:
        degrees = [degrees[0]] * len(degrees)
    masks = [rank[None, :] < degrees[0][:, None]]
    masks += [before[None, :] <= after[:, None] for before, after in itertools.pairwise(degrees)]
    masks.append(degrees[-1][None, :] <= rank[:, None])
    ready = tuple(tuple(int((degree <= k).sum()) for k in range(len(order) + 1)) for degree in degrees)
    units = tuple(degree.argsort(stable=True) for degree in degrees)
    return replace(plan, masks=tuple(masks), ready=ready, units=units)


def _unit_sets(adjacency: Tensor, level_of: Tensor, *, constant: bool) -> tuple[Tensor, Tensor]:
    """The distinct sets a unit may have ``[T, D]``, and the level at which each is ready ``[T]``, sorted by that."""
    sets = torch.unique(adjacency, dim=0)
    filled = sets[sets.any(1)]
    if constant or len(filled) == 0:
        filled = torch.cat([torch.zeros(1, sets.shape[1], dtype=torch.bool), filled])
    ready = torch.where(filled, level_of + 1, 0).amax(1)
    order = (ready * (sets.shape[1] + 1) + filled.sum(1)).argsort(stable=True)
    return filled[order], ready[order]


def _contains(outer: Tensor, inner: Tensor) -> Tensor:
    """Whether the set ``inner[j]`` lies in the set ``outer[i]``: booleans ``[len(outer), len(inner)]``."""
    shared = outer.float() @ inner.float().T
    return shared == inner.sum(1)


def _spread(kinds: int, width: int, generator: torch.Generator | None) -> Tensor:
    """Which set each of ``width`` units gets, sorted; evenly spread, or drawn at random."""
    if generator is not None:
        return torch.randint(kinds, (width,), generator=generator).sort().values
    if width < kinds:
        return torch.linspace(0, kinds - 1, width).round().long()
    return torch.arange(width) * kinds // width
