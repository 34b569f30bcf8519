r"""Laws of incremental evaluation: what an autoregressive network promises besides its parallel pass.

They speak about networks, so they are functions to call with any network; the law ``steps_equal_the_parallel_pass`` calls
them with every such network inside a bijector. Each raises a ``LawViolation``. That an autoregressive *bijector* has a
triangular Jacobian in its order is the law ``declared_structure_holds``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.points import Draw, unconstrained
from probgen.distributions.testing.subject import BijectorSubject

__all__ = [
    "LAWS",
    "incremental_matches_parallel",
    "levels_are_parallel",
    "numbers_of",
    "states_do_not_mix",
    "steps_equal_the_parallel_pass",
]


def _networks(subject: BijectorSubject) -> list[IncrementalNetwork]:
    return [part for part in subject.double.modules() if isinstance(part, IncrementalNetwork)]


def _has_networks(subject: BijectorSubject) -> bool:
    return bool(_networks(subject))


@define_law(
    "M1",
    "Every incremental network gives the same parameters by steps, by sweeps and in parallel, and keeps no state of its own.",
    applies=_has_networks,
    scales=(),
)
def steps_equal_the_parallel_pass(subject: BijectorSubject, draw: Draw) -> Tally:
    """In float64, at normal values and contexts."""
    tally = Tally(0)
    for index, network in enumerate(_networks(subject)):
        width = network.features * network.num_inputs
        shapes = ((4, width), (4, width), (4, *(network.context_shape or ())))
        first, second, extra = (unconstrained(Draw(seed=draw.seed + 3 * index + k), shape) for k, shape in enumerate(shapes))
        context = None if network.context_shape is None else extra
        tally += incremental_matches_parallel(network, first, context, tolerance=1e-9 * subject.tolerance)
        tally += levels_are_parallel(network, first, context)
        with torch.no_grad():
            tally += states_do_not_mix(network, first, second, context)
    return tally


def incremental_matches_parallel(
    network: IncrementalNetwork, values: Tensor, context: Tensor | None = None, *, tolerance: float = 1e-5
) -> Tally:
    """Steps, and sweeps with and without gradients, give the parameters that the parallel pass gives.

    Args:
        network: The network.
        values: Values ``[*batch, D * C]``.
        context: Context ``[*batch, *context_shape]``, if the network takes one.
        tolerance: Absolute tolerance.

    Raises:
        LawViolation: some parameter differs.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import incremental_matches_parallel
        >>> from probgen.nn import MADE
        >>> incremental_matches_parallel(MADE(3, 2, hidden=(8,)), torch.zeros(4, 3)).skipped
        0
    """
    order = [index for level in network.levels for index in level]
    batch, ordered = values.shape[:-1], values[..., numbers_of(network, order)]
    expected = network(values, context)[..., order, :]
    stepped = torch.cat(_stepped(network, values, context), dim=-2)
    law = "incremental_matches_parallel"
    tally = require_equal(law, stepped, expected, values, tolerance=tolerance)
    for recording in (True, False):
        seen: list[Tensor] = []

        def draw(start: int, stop: int, params: Tensor, seen: list[Tensor] = seen) -> Tensor:
            seen.append(params.clone())
            return ordered[..., start * network.num_inputs : stop * network.num_inputs]

        before = [parameter.detach().clone() for parameter in network.parameters()]
        with torch.set_grad_enabled(recording):
            network.sweep(draw, batch, context)
        tally = tally + require_equal(law, torch.cat(seen, dim=-2), expected, values, tolerance=tolerance)
        for old, new in zip(before, network.parameters(), strict=True):
            tally = tally + require_equal(f"{law} (parameters are not written)", new.detach(), old, values)
    return tally


def levels_are_parallel(network: IncrementalNetwork, values: Tensor, context: Tensor | None = None) -> Tally:
    """The parameters of a level depend only on values of earlier levels: moving all others changes nothing.

    Args:
        network: The network.
        values: Values ``[*batch, D * C]``.
        context: Context, if the network takes one.

    Raises:
        LawViolation: the levels are no partition of the coordinates, or some parameter moved.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import levels_are_parallel
        >>> from probgen.nn import MADE
        >>> levels_are_parallel(MADE(3, 2, hidden=(8,)), torch.zeros(4, 3)).skipped
        0
    """
    law, covered = "levels_are_parallel", sorted(index for level in network.levels for index in level)
    if covered != list(range(network.features)):
        raise LawViolation(law, "levels", f"a partition of 0 to {network.features - 1}", network.levels)
    tally, known = Tally(), torch.zeros(network.features * network.num_inputs, dtype=torch.bool)
    with torch.no_grad():
        params = network(values, context)
        for level in network.levels:
            moved = network(torch.where(known, values, values + 1.0), context)
            chosen = list(level)
            tally = tally + require_equal(law, moved[..., chosen, :], params[..., chosen, :], values, tolerance=1e-5)
            known[numbers_of(network, level)] = True
    return tally


def states_do_not_mix(network: IncrementalNetwork, first: Tensor, second: Tensor, context: Tensor | None = None) -> Tally:
    """Two sequences stepped in turn give what each gives alone, also if every state is stepped once more with values of the
    other: a state is a value, and no step writes into one.

    Args:
        network: The network.
        first: Values ``[*batch, D * C]``.
        second: Other values of the same shape.
        context: Context, if the network takes one.

    Raises:
        LawViolation: some parameter differs.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import states_do_not_mix
        >>> from probgen.nn import MADE
        >>> states_do_not_mix(MADE(3, 2, hidden=(8,)), torch.zeros(4, 3), torch.ones(4, 3)).skipped
        0
    """
    alone = [_stepped(network, values, context) for values in (first, second)]
    states = [network.init_state(values.shape[:-1], context) for values in (first, second)]
    tally = Tally()
    for number, level in enumerate(network.levels):
        for index, values in enumerate((first, second)):
            state, params = states[index]
            tally = tally + require_equal("states_do_not_mix", params, alone[index][number], values)
            numbers = numbers_of(network, level)
            states[index] = network.step(state, values[..., numbers])
            network.step(state, (second, first)[index][..., numbers])  # a branch that nobody follows
    return tally


def _stepped(network: IncrementalNetwork, values: Tensor, context: Tensor | None) -> list[Tensor]:
    """The parameters of each level from the steps."""
    state, params = network.init_state(values.shape[:-1], context)
    collected = []
    for level in network.levels:
        collected.append(params)
        state, params = network.step(state, values[..., numbers_of(network, level)])
    return collected


def numbers_of(network: IncrementalNetwork, coordinates: Sequence[int]) -> list[int]:
    """Where the numbers that the network sees of some coordinates stand in a row of values.

    Args:
        network: The network.
        coordinates: Numbers of coordinates.

    Example:
        >>> from probgen.distributions.testing.laws_incremental import numbers_of
        >>> from probgen.nn import MADE
        >>> numbers_of(MADE(3, 2, num_inputs=2, hidden=(8,)), (2, 0))
        [4, 5, 0, 1]
    """
    return [index * network.num_inputs + k for index in coordinates for k in range(network.num_inputs)]


LAWS: tuple[Law, ...] = (steps_equal_the_parallel_pass,)
