r"""Laws of autoregressive distributions: the density is what the steps say, and the network inside obeys the laws of networks.

.. math:: \log p(x) = \sum_k \log p\bigl(x_{(k)} \mid \mathrm{step}^{(k-1)}(s_0; x_{(0)}, \dots, x_{(k-1)})\bigr) .

Sampling goes level after level, scoring at once: two programs for one law. With a discrete support, chi-square compares
them (``samples_follow_the_mass_function``); these laws compare them without chance, also where no support can be listed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.autoregressive import Autoregressive
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.events import scored
from probgen.distributions.testing.causality import check_causality
from probgen.distributions.testing.causality_report import LAW as LEAKS
from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.laws_incremental import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.distributions.testing.points import Draw, unconstrained
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "conditionals_see_only_earlier_positions",
    "density_is_that_of_the_steps",
    "networks_inside_are_incremental",
]


def _networks(subject: DistributionSubject) -> list[IncrementalNetwork]:
    """The incremental networks that the distribution holds, also those in its bijectors."""
    parts = [part for module in subject.modules for part in module.modules()]
    return [part for part in parts if isinstance(part, IncrementalNetwork)]


def _has_networks(subject: DistributionSubject) -> bool:
    return bool(_networks(subject))


def _is_autoregressive(subject: DistributionSubject) -> bool:
    return isinstance(subject.distribution, Autoregressive)


@define_law(
    "M1",
    "Every incremental network in a distribution gives the same by steps, sweeps and in parallel, and keeps no state.",
    kind="distribution",
    applies=_has_networks,
    scales=(),
)
def networks_inside_are_incremental(subject: DistributionSubject, draw: Draw) -> Tally:
    """In the dtype of the distribution, a batch of four."""
    tally = Tally(0)
    for index, network in enumerate(_networks(subject)):
        width = network.features * network.num_inputs
        shapes = ((4, width), (4, width), (4, *(network.context_shape or ())))
        first, second, extra = (
            unconstrained(Draw(seed=draw.seed + 3 * index + k), shape).to(subject.dtype) for k, shape in enumerate(shapes)
        )
        context = None if network.context_shape is None else extra
        with torch.no_grad():
            size = 1 + float(network(first, context).abs().max())
        room = subject.tolerance * size * (1e-9 if subject.dtype == torch.float64 else 1e-4)
        tally += incremental_matches_parallel(network, first, context, tolerance=room)
        tally += levels_are_parallel(network, first, context)
        with torch.no_grad():
            tally += states_do_not_mix(network, first, second, context)
    return tally


@define_law(
    "M2",
    "The conditional of a position depends on no value but those of earlier positions.",
    kind="distribution",
    applies=_is_autoregressive,
    scales=(),
    once=True,
)
def conditionals_see_only_earlier_positions(subject: DistributionSubject, draw: Draw) -> Tally:
    """The certificate of the network, in float64, weights as built and moved."""
    report = check_causality(subject.distribution, strict=False, name=subject.name)
    if not report.passed:
        raise LawViolation(LEAKS, subject.name, "no dependence on a position's own value or later ones", str(report))
    return Tally(report.depends.numel())


@define_law(
    "M1",
    "log_prob is the sum of the conditionals that steps give when they are forced along the value.",
    kind="distribution",
    applies=_is_autoregressive,
    scales=(),
)
def density_is_that_of_the_steps(subject: DistributionSubject, draw: Draw) -> Tally:
    """Four draws, each forced through the levels of the order."""
    law, value = subject.distribution, subject.sample(draw, (4,))
    with validation(enabled=False), torch.no_grad():
        expected = law.log_prob(value)
        got = _by_steps(law, value)
    room = subject.tolerance * (1e-9 if subject.dtype == torch.float64 else 1e-4)
    return require_equal("density_is_that_of_the_steps", got, expected, value, tolerance=room * (1 + expected.abs()))


def _by_steps(law: Autoregressive, value: Tensor) -> Tensor:
    """Log-density of ``[n, *batch, *event]`` from init_state and step, one level at a time."""
    inner = tuple(law.element.event_shape)
    batch = value.shape[: value.dim() - len(law.event_shape)]
    positions = math.prod(law.event_shape[len(inner) :])
    colors, grid = range(len(batch), len(batch) + len(inner)), range(value.dim() - len(inner), value.dim())
    rows = value.movedim(tuple(colors), tuple(grid)).reshape(*batch, positions, *inner)
    network = law.network
    reference: Tensor = next(network.parameters(), torch.zeros(()))
    context = None if law.context is None else law.context.expand(*batch, *(network.context_shape or ()))
    state, params = network.init_state(batch, context)
    total = torch.zeros(batch, dtype=reference.dtype)
    for level in network.levels:
        known = rows.index_select(len(batch), torch.tensor(level))
        total = total + scored(law.element(params), known).sum(-1)
        seen = law.embedding(known, reference.dtype).reshape(*batch, len(level) * network.num_inputs)
        state, params = network.step(state, seen)
    return total


LAWS: tuple[Law, ...] = (
    networks_inside_are_incremental,
    conditionals_see_only_earlier_positions,
    density_is_that_of_the_steps,
)
