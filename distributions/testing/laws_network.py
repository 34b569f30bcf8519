r"""Laws of incremental networks: causal, the same by steps as at once, and with states that are values.

.. math:: \theta_i(x) = \theta_i(x_{A_i}), \qquad \mathrm{step}^{(k)}(s_0; x_{(0)}, \dots, x_{(k)}) = \theta_{(k+1)}(x) .

They run on a network alone, without an element or a law around it: see ``check_network``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from probgen.distributions.bijectors.incremental import IncrementalNetwork, fork
from probgen.distributions.testing.causality import check_causality
from probgen.distributions.testing.causality_report import LAW as LEAKS
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.laws_incremental import (
    incremental_matches_parallel,
    levels_are_parallel,
    numbers_of,
    states_do_not_mix,
)
from probgen.distributions.testing.network_subject import NetworkSubject
from probgen.distributions.testing.points import Draw

__all__ = [
    "LAWS",
    "cached_equals_full",
    "evaluation_is_deterministic",
    "evaluation_leaves_no_trace",
    "parameters_see_only_earlier_positions",
    "states_are_batched_and_fork",
    "streams_do_not_mix",
]

BATCH = (3,)


@define_law(
    "M2",
    "The parameters of a position depend on no value but those of earlier levels (derivatives and perturbations).",
    kind="network",
    scales=(),
    once=True,
)
def parameters_see_only_earlier_positions(subject: NetworkSubject, draw: Draw) -> Tally:
    """In float64, three inputs, weights as built and moved twice; the levels must be a partition."""
    levels_are_parallel(subject.network, subject.values(draw, BATCH), subject.context(draw, BATCH))
    report = check_causality(subject.network, strict=False, name=subject.name)
    if not report.passed:
        raise LawViolation(LEAKS, subject.name, "no dependence on a position's own value or later ones", str(report))
    return Tally(report.depends.numel())


@define_law(
    "M1",
    "Steps and sweeps give at every position the parameters of the parallel pass, and write into no parameter.",
    kind="network",
    scales=(),
)
def cached_equals_full(subject: NetworkSubject, draw: Draw) -> Tally:
    """A batch of three, and a batch of one."""
    tally = Tally(0)
    for batch in (BATCH, (1,)):
        values, context = subject.values(draw, batch), subject.context(draw, batch)
        tally += incremental_matches_parallel(subject.network, values, context, tolerance=_room(subject, values, context))
    return tally


@define_law(
    "M3",
    "Two streams stepped in turn, and a sweep between two steps, change nothing of one another.",
    kind="network",
    scales=(),
)
def streams_do_not_mix(subject: NetworkSubject, draw: Draw) -> Tally:
    """Bitwise for the two streams; the sweep runs halfway through a third one."""
    network, context = subject.network, subject.context(draw, BATCH)
    first, second = subject.values(draw, BATCH), subject.values(Draw(seed=draw.seed + 2), BATCH)
    with torch.no_grad():
        tally = states_do_not_mix(network, first, second, context)
        undisturbed = forced(network, first, context, network.levels)
        half = len(network.levels) // 2
        state, params = network.init_state(BATCH, context)
        collected = []
        for number, level in enumerate(network.levels):
            collected.append(params)
            if number == half:
                _swept(network, second, context)
            state, params = network.step(state, first[:, numbers_of(network, level)])
    return tally + require_equal("streams_do_not_mix", torch.cat(collected, 1), undisturbed, first)


@define_law(
    "M4",
    "After a forced prefix a state can be repeated and selected, continued in two ways, and stays what it was.",
    kind="network",
    scales=(),
)
def states_are_batched_and_fork(subject: NetworkSubject, draw: Draw) -> Tally:
    """Every tensor of a state begins with the batch; prefixes of no level and of half of the levels."""
    network, law, index = subject.network, "states_are_batched_and_fork", torch.tensor([2, 0, 2, 1])
    values, context = subject.values(draw, BATCH), subject.context(draw, BATCH)
    others = subject.values(Draw(seed=draw.seed + 3), (len(index),))
    tally, levels = Tally(0), network.levels
    with torch.no_grad():
        for prefix in sorted({0, len(levels) // 2}):
            state, params = network.init_state(BATCH, context)
            for level in levels[:prefix]:
                state, params = network.step(state, values[:, numbers_of(network, level)])
            _require_batched(state, BATCH)
            merged = others.clone()
            seen = [number for level in levels[:prefix] for number in numbers_of(network, level)]
            merged[:, seen] = values[index][:, seen]
            for start, row, extra in (
                ((fork(state, index), fork(params, index)), merged, None if context is None else context[index]),
                ((state, params), values, context),
            ):
                rest = levels[prefix:]
                got = forced(network, row, extra, rest, start)
                expected = network(row, extra)[:, [i for level in rest for i in level]]
                tally += require_equal(law, got, expected, row, tolerance=_room(subject, row, extra))
    return tally


@define_law(
    "H1",
    "In evaluation mode two passes give bitwise the same, whatever the seed.",
    kind="network",
    scales=(),
    once=True,
)
def evaluation_is_deterministic(subject: NetworkSubject, draw: Draw) -> Tally:
    """Parallel passes, steps and sweeps, each under two seeds."""
    law, network = "evaluation_is_deterministic", subject.network
    values, context, tally = subject.values(draw, BATCH), subject.context(draw, BATCH), Tally(0)

    def results(seed: int) -> list[Tensor]:
        torch.manual_seed(seed)
        return [
            network(values, context),
            forced(network, values, context, network.levels),
            torch.cat(_swept(network, values, context), 1),
        ]

    with torch.no_grad():
        for first, second in zip(results(0), results(1), strict=True):
            tally += require_equal(law, second, first, values)
    return tally


@define_law(
    "H1",
    "Passes, steps and sweeps leave no tensor behind in a module, and change none.",
    kind="network",
    scales=(),
    once=True,
)
def evaluation_leaves_no_trace(subject: NetworkSubject, draw: Draw) -> Tally:
    """Parameters, buffers, and whatever else the modules hold."""
    network, values, context = subject.build(seed=0), subject.values(draw, BATCH), subject.context(draw, BATCH)
    before = {name: value.clone() for name, value in _held(network).items()}
    with torch.no_grad():
        network(values, context)
        forced(network, values, context, network.levels)
        _swept(network, values, context)
    after, law = _held(network), "evaluation_leaves_no_trace"
    if before.keys() != after.keys():
        raise LawViolation(law, "tensors on the modules", "those before", sorted(before.keys() ^ after.keys()))
    return sum((require_equal(law, after[name], value, name) for name, value in before.items()), Tally())


def forced(
    network: IncrementalNetwork,
    values: Tensor,
    context: Tensor | None,
    levels: Sequence[Sequence[int]],
    start: tuple[object, Tensor] | None = None,
) -> Tensor:
    """The parameters ``[*batch, n, P]`` of some levels from steps that are given the values.

    Args:
        network: The network.
        values: Values ``[*batch, D * C]``.
        context: Context, if the network takes one.
        levels: The levels, which follow one another.
        start: The state at the first of them and its parameters; None at the beginning.
    """
    state, params = network.init_state(values.shape[:-1], context) if start is None else start
    collected = []
    for level in levels:
        collected.append(params)
        state, params = network.step(state, values[..., numbers_of(network, level)])
    return torch.cat(collected, -2)


def _swept(network: IncrementalNetwork, values: Tensor, context: Tensor | None) -> list[Tensor]:
    """The parameters of each level from a sweep that is given the values."""
    order = [index for level in network.levels for index in level]
    ordered, seen = values[..., numbers_of(network, order)], list[Tensor]()

    def draw(start: int, stop: int, params: Tensor) -> Tensor:
        seen.append(params.clone())
        return ordered[..., start * network.num_inputs : stop * network.num_inputs]

    network.sweep(draw, values.shape[:-1], context)
    return seen


def _room(subject: NetworkSubject, values: Tensor, context: Tensor | None) -> float:
    """The rounding that a network may have: relative to its largest parameter."""
    with torch.no_grad():
        size = float(subject.network(values, context).abs().max())
    return subject.tolerance * (1e-10 if subject.dtype == torch.float64 else 1e-4) * (1 + size)


def _require_batched(state: object, batch: tuple[int, ...]) -> None:
    for leaf in pytree.tree_leaves(state):
        if isinstance(leaf, Tensor) and tuple(leaf.shape[: len(batch)]) != batch:
            raise LawViolation("states_are_batched_and_fork", "a tensor of the state", f"shape [*{batch}, ...]", leaf.shape)


def _held(network: IncrementalNetwork) -> dict[str, Tensor]:
    """All tensors that the modules hold, registered or not, by name."""
    found = {name: value.detach() for name, value in (*network.named_parameters(), *network.named_buffers())}
    for prefix, part in network.named_modules():
        for name, value in vars(part).items():
            if name in ("_parameters", "_buffers", "_modules"):
                continue
            for number, leaf in enumerate(pytree.tree_leaves(value)):
                if isinstance(leaf, Tensor):
                    found[f"{prefix}.{name}[{number}]"] = leaf.detach()
    return found


LAWS: tuple[Law, ...] = (
    parameters_see_only_earlier_positions,
    cached_equals_full,
    streams_do_not_mix,
    states_are_batched_and_fork,
    evaluation_is_deterministic,
    evaluation_leaves_no_trace,
)
