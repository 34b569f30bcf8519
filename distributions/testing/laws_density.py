r"""Laws of a density: it has mass one, it is that of the reference, and it vanishes outside its support."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from probgen.distributions.constraints import is_real
from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.oracles import (
    enumerated_mass,
    free_dimension,
    reference_log_prob,
)
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.quadrature import density_mass
from probgen.distributions.testing.statistics import TestResult
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "density_has_mass_one",
    "finite_support_has_mass_one",
    "log_prob_matches_the_reference",
    "no_density_outside_the_support",
]


def is_exact(subject: DistributionSubject) -> bool:
    return subject.is_exact


def is_continuous(subject: DistributionSubject) -> bool:
    return subject.is_exact and not subject.is_discrete


def dimension_of(subject: DistributionSubject) -> int:
    try:
        return free_dimension(subject.distribution.support, subject.distribution.event_shape)
    except NotImplementedError:
        return -1


def _one_or_two(subject: DistributionSubject) -> bool:
    return is_continuous(subject) and dimension_of(subject) in (1, 2)


def is_scalar(subject: DistributionSubject) -> bool:
    return is_continuous(subject) and not subject.distribution.event_shape and dimension_of(subject) == 1


def is_enumerable(subject: DistributionSubject) -> bool:
    return subject.is_exact and subject.distribution.has_enumerate_support


def _has_an_outside(subject: DistributionSubject) -> bool:
    return subject.is_exact and not is_real(subject.distribution.support)


def _has_reference(subject: DistributionSubject) -> bool:
    return subject.is_exact and subject.reference is not None


@define_law(
    "Q1",
    "The density integrates to one (one or two free coordinates, adaptive quadrature).",
    kind="distribution",
    applies=_one_or_two,
    scales=(),
)
def density_has_mass_one(subject: DistributionSubject, draw: Draw) -> Tally:
    """Judged where the quadrature knows its error to 5e-3, else skipped and counted."""
    with validation(enabled=False), torch.no_grad():
        mass, error = density_mass(subject.distribution)
    allowed = subject.tolerance * (1e-4 if dimension_of(subject) == 1 else 1e-3) + 2 * error
    unresolved = ~(error <= 5e-3)
    wrong = ~((mass - 1).abs() <= allowed) & ~unresolved
    if bool(wrong.any()):
        raise LawViolation("density_has_mass_one", "the whole support", 1.0, mass)
    return Tally(mass.numel(), int(unresolved.sum()))


@define_law("Q3", "The probabilities of a finite support sum to one.", kind="distribution", applies=is_enumerable, scales=())
def finite_support_has_mass_one(subject: DistributionSubject, draw: Draw) -> Tally:
    """By enumeration."""
    with validation(enabled=False), torch.no_grad():
        mass = enumerated_mass(subject.distribution)
    return require_equal("finite_support_has_mass_one", mass, torch.ones_like(mass), "all states", tolerance=1e3 * subject.eps)


@define_law("D1", "log_prob equals that of an independent reference.", kind="distribution", applies=_has_reference, scales=())
def log_prob_matches_the_reference(subject: DistributionSubject, draw: Draw) -> Tally:
    """Torch's or scipy's, at draws."""
    value = subject.sample(Draw(seed=5), (64,))
    with validation(enabled=False), torch.no_grad():
        got = subject.distribution.log_prob(value).double()
        expected = reference_log_prob(subject.reference, value).reshape(got.shape)
    unit = subject.tolerance * (1e-12 if subject.dtype == torch.float64 else 3e-6)
    return require_equal("log_prob_matches_the_reference", got, expected, value, tolerance=unit * (1 + expected.abs()) * 10)


@define_law(
    "D1",
    "Outside the support log_prob is minus infinity or an error.",
    kind="distribution",
    applies=_has_an_outside,
    scales=(),
)
def no_density_outside_the_support(subject: DistributionSubject, draw: Draw) -> Tally:
    """Draws moved far out, where that leaves the support."""
    law, distribution, tally = "no_density_outside_the_support", subject.distribution, Tally(1)
    value = subject.sample(Draw(seed=5), (4,)).to(subject.dtype if not subject.is_discrete else torch.get_default_dtype())
    for offset in (-1e3, 1e3, 0.37):
        outside = value + offset
        valid = distribution.support.check(outside)
        if bool(valid.any()):
            continue
        with validation(enabled=False), torch.no_grad():
            twin = _without_validation(subject)
            try:
                log_prob = twin.log_prob(outside)
            except (ValueError, IndexError, RuntimeError):
                continue
        if not bool((log_prob == -torch.inf).all()):
            raise LawViolation(law, outside[0], "-inf or an error", log_prob)
        tally += Tally(log_prob.numel())
    return tally


def require_passed(result: TestResult, law: str, expected: object, got: object) -> Tally:
    if not result.passed:
        raise LawViolation(law, f"statistic {result}", expected, got)
    return Tally(10)


def first_of_batch(subject: DistributionSubject, value: Tensor) -> Tensor:
    """The first element of the batch, all draws."""
    return value[(slice(None),) + (0,) * len(subject.distribution.batch_shape)]


def flattened(subject: DistributionSubject) -> Tensor:
    return first_of_batch(subject, subject.many).reshape(len(subject.many), -1).double()


def _without_validation(subject: DistributionSubject) -> Any:
    with validation(enabled=False):
        return subject.build(seed=0)


LAWS: tuple[Law, ...] = (
    density_has_mass_one,
    finite_support_has_mass_one,
    log_prob_matches_the_reference,
    no_density_outside_the_support,
)
