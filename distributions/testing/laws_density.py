r"""Laws of a density: it has mass one, its samples follow it, its gradients are its own.

Statistical laws use the draws of ``DistributionSubject.many`` and a false-alarm rate of ``FALSE_ALARM`` each.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from probgen.distributions.testing.distribution_subject import DistributionSubject, default_dtype
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law, require_equal
from probgen.distributions.testing.oracles import (
    enumerated_mass,
    free_dimension,
    grid_cdf,
    reference_log_prob,
)
from probgen.distributions.testing.points import Draw, is_flat, is_real
from probgen.distributions.testing.quadrature import density_mass
from probgen.distributions.testing.statistics import TestResult, chi_square_test, dkwm_test, mean_test, uniformity_test
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "ball_volume_matches",
    "density_has_mass_one",
    "finite_support_has_mass_one",
    "log_prob_matches_the_reference",
    "no_density_outside_the_support",
    "pit_of_samples_is_uniform",
    "pointwise_gradient_is_that_of_the_draw",
    "samples_follow_the_density",
    "samples_follow_the_mass_function",
]


def is_exact(subject: DistributionSubject) -> bool:
    return subject.is_exact


def _continuous(subject: DistributionSubject) -> bool:
    return subject.is_exact and not subject.is_discrete


def _dimension(subject: DistributionSubject) -> int:
    try:
        return free_dimension(subject.distribution.support, subject.distribution.event_shape)
    except NotImplementedError:
        return -1


def _one_or_two(subject: DistributionSubject) -> bool:
    return _continuous(subject) and _dimension(subject) in (1, 2)


def is_scalar(subject: DistributionSubject) -> bool:
    return _continuous(subject) and not subject.distribution.event_shape and _dimension(subject) == 1


def _enumerable(subject: DistributionSubject) -> bool:
    return subject.is_exact and subject.distribution.has_enumerate_support


def _flat(subject: DistributionSubject) -> bool:
    return _continuous(subject) and is_flat(subject.distribution.support) and subject.distribution.event_shape.numel() <= 16


def _has_reference(subject: DistributionSubject) -> bool:
    return subject.reference is not None


def _has_pit(subject: DistributionSubject) -> bool:
    return _continuous(subject) and hasattr(subject.distribution, "probability_integral_transform")


def _reparameterized(subject: DistributionSubject) -> bool:
    return bool(subject.distribution.has_rsample and subject.parameters)


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
    allowed = subject.tolerance * (1e-4 if _dimension(subject) == 1 else 1e-3) + 2 * error
    unresolved = ~(error <= 5e-3)
    wrong = ~((mass - 1).abs() <= allowed) & ~unresolved
    if bool(wrong.any()):
        raise LawViolation("density_has_mass_one", "the whole support", 1.0, mass)
    return Tally(mass.numel(), int(unresolved.sum()))


@define_law("Q3", "The probabilities of a finite support sum to one.", kind="distribution", applies=_enumerable, scales=())
def finite_support_has_mass_one(subject: DistributionSubject, draw: Draw) -> Tally:
    """By enumeration."""
    with validation(enabled=False), torch.no_grad():
        mass = enumerated_mass(subject.distribution)
    return require_equal("finite_support_has_mass_one", mass, torch.ones_like(mass), "all states", tolerance=1e3 * subject.eps)


@define_law(
    "Q3",
    "E[1{x in B} / p(x)] is the volume of B, for a ball B around a typical draw.",
    kind="distribution",
    applies=_flat,
    scales=(),
)
def ball_volume_matches(subject: DistributionSubject, draw: Draw) -> Tally:
    """The ball holds about a third of the draws; normalized by the volume, the expectation is one."""
    samples, law = flattened(subject), "ball_volume_matches"
    with validation(enabled=False), torch.no_grad():
        log_prob = first_of_batch(subject, subject.distribution.log_prob(subject.many)).double()
    first, second = samples[: len(samples) // 2], samples[len(samples) // 2 :]
    center = first[:500][int(log_prob[:500].argmax())]
    deviation = first - first.mean(0)
    scale = torch.linalg.cholesky(
        deviation.mT @ deviation / len(first) + 1e-12 * torch.eye(first.shape[-1], dtype=torch.float64)
    )
    near, far = (torch.linalg.solve_triangular(scale, (part - center).mT, upper=False).norm(dim=0) for part in (first, second))
    radius = min(float(near.quantile(0.1)), _room(subject, center, scale))
    while radius > 0 and (near <= radius).sum() > 150 and _range(log_prob[: len(first)][near <= radius]) > 2.5:
        radius *= 0.7
    if not radius > 0 or int((near <= radius).sum()) < 100:
        return Tally(10)
    dim = samples.shape[-1]
    log_volume = (
        0.5 * dim * math.log(math.pi)
        - math.lgamma(0.5 * dim + 1)
        + dim * math.log(radius)
        + float(scale.diagonal().log().sum())
    )
    weights = torch.where(far <= radius, torch.exp(-log_prob[len(first) :] - log_volume), torch.zeros_like(far))
    covered = _covered(subject, center, scale, radius, len(weights))
    expected = f"mean weight {float(covered.mean()):.4g} in a ball of radius {radius:.4g} (whitened)"
    return require_passed(mean_test(weights - covered, 0.0), law, expected, f"{float(weights.mean()):.4g}")


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
    "Outside the support log_prob is minus infinity, and an error while validating.",
    kind="distribution",
    applies=is_exact,
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


@define_law(
    "D2",
    "Scalar draws follow the distribution function integrated from the density (DKWM, false alarms 1e-9).",
    kind="distribution",
    applies=is_scalar,
    scales=(),
)
def samples_follow_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """The first element of the batch."""
    if subject.distribution.batch_shape.numel() != 1:
        return Tally()
    with validation(enabled=False), torch.no_grad():
        single = subject.distribution.expand(torch.Size())
        result = dkwm_test(flattened(subject).squeeze(-1), grid_cdf(single))
    return require_passed(result, "samples_follow_the_density", "draws with the distribution function of the density", result)


@define_law(
    "D2",
    "Discrete draws follow the mass function (chi-square with a pooled tail, false alarms 1e-9).",
    kind="distribution",
    applies=_enumerable,
    scales=(),
)
def samples_follow_the_mass_function(subject: DistributionSubject, draw: Draw) -> Tally:
    """The first element of the batch, all states."""
    distribution = subject.distribution
    with validation(enabled=False), torch.no_grad():
        support = distribution.enumerate_support(expand=True)
        log_prob = distribution.log_prob(support)
        states = first_of_batch(subject, support, event=True).reshape(len(support), -1)
        probabilities = first_of_batch(subject, log_prob).exp()
    samples = flattened(subject)
    same = (samples.unsqueeze(1) == states.to(samples).unsqueeze(0)).all(-1) if len(states) <= 64 else None
    if same is None:
        return Tally()
    if not bool(same.any(-1).all()):
        raise LawViolation("samples_follow_the_mass_function", "draws", "a state of the support", samples[~same.any(-1)][0])
    result = chi_square_test(same.sum(0), probabilities)
    return require_passed(result, "samples_follow_the_mass_function", probabilities, same.double().mean(0))


@define_law(
    "D2",
    "The probability integral transform of draws is uniform in every coordinate (DKWM, false alarms 1e-9).",
    kind="distribution",
    applies=_has_pit,
    scales=(),
)
def pit_of_samples_is_uniform(subject: DistributionSubject, draw: Draw) -> Tally:
    """Where the distribution knows such a transform."""
    with validation(enabled=False), torch.no_grad():
        uniform = subject.distribution.probability_integral_transform(subject.many)
    if uniform is None:
        return Tally()
    batch = len(subject.distribution.batch_shape)
    result = uniformity_test(uniform[(slice(None),) + (0,) * batch])
    return require_passed(result, "pit_of_samples_is_uniform", "uniform coordinates", result)


@define_law(
    "D3",
    "The gradient of rsample is that of the draw as a function of the parameters, at fixed noise.",
    kind="distribution",
    applies=_reparameterized,
    scales=(),
)
def pointwise_gradient_is_that_of_the_draw(subject: DistributionSubject, draw: Draw) -> Tally:
    """Central differences with common random numbers, in float64, along one direction of parameter space."""
    if subject.dtype != torch.float64:
        return Tally()
    parameters = subject.parameters
    generator = torch.Generator().manual_seed(draw.seed)
    direction = [torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p) for p in parameters]

    def value() -> Tensor:
        with torch.random.fork_rng(devices=[]), validation(enabled=False), default_dtype(subject.dtype):
            torch.manual_seed(draw.seed)
            drawn: Tensor = subject.distribution.rsample(torch.Size((16,)))
        return drawn.tanh().sum()

    grads = torch.autograd.grad(value(), parameters, allow_unused=True)
    pairs: Any = zip(grads, direction, strict=True)
    got = sum((g * d).sum() for g, d in pairs if g is not None)
    shifted = []
    with torch.no_grad():
        for factor in (1e-5, -2e-5):
            for parameter, d in zip(parameters, direction, strict=True):
                parameter.add_(factor * d)
            shifted.append(value())
        for parameter, d in zip(parameters, direction, strict=True):
            parameter.add_(1e-5 * d)
    expected = (shifted[0] - shifted[1]) / 2e-5
    tolerance = 1e-4 * (1 + float(expected.abs()))
    return require_equal(
        "pointwise_gradient_is_that_of_the_draw", torch.as_tensor(got).detach(), expected, draw, tolerance=tolerance
    )


def require_passed(result: TestResult, law: str, expected: object, got: object) -> Tally:
    if not result.passed:
        raise LawViolation(law, f"statistic {result}", expected, got)
    return Tally(10)


def first_of_batch(subject: DistributionSubject, value: Tensor, *, event: bool = False) -> Tensor:
    """The first element of the batch, all draws."""
    del event
    return value[(slice(None),) + (0,) * len(subject.distribution.batch_shape)]


def flattened(subject: DistributionSubject) -> Tensor:
    return first_of_batch(subject, subject.many).reshape(len(subject.many), -1).double()


def _covered(subject: DistributionSubject, center: Tensor, scale: Tensor, radius: float, count: int) -> Tensor:
    """For uniform points of the ball, one where the density is positive and zero in its holes."""
    distribution, dim = subject.distribution, center.numel()
    generator = torch.Generator().manual_seed(1)
    directions = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    lengths = radius * torch.rand(count, 1, generator=generator, dtype=torch.float64) ** (1 / dim)
    points = center + (directions / directions.norm(dim=-1, keepdim=True) * lengths) @ scale.mT
    shaped = points.reshape(count, *(1 for _ in distribution.batch_shape), *distribution.event_shape).to(subject.many.dtype)
    full = shaped.expand(count, *distribution.batch_shape, *distribution.event_shape)
    with validation(enabled=False), torch.no_grad():
        log_prob = distribution.log_prob(full)
    return (first_of_batch(subject, log_prob) > -torch.inf).double()


def _range(values: Tensor) -> float:
    return float(values.max() - values.min())


def _room(subject: DistributionSubject, center: Tensor, scale: Tensor) -> float:
    """Whitened distance from the center to the edge of the support, by bisection along many directions."""
    support, event = subject.distribution.support, subject.distribution.event_shape
    if is_real(support):
        return math.inf
    dim = center.numel()
    directions = torch.randn(200, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    exact = torch.linalg.inv(scale) if dim > 1 else 1 / scale
    directions = torch.cat([directions, exact / exact.norm(dim=-1, keepdim=True), -exact / exact.norm(dim=-1, keepdim=True)])
    low, high = torch.zeros(len(directions), dtype=torch.float64), torch.full((len(directions),), 1e3, dtype=torch.float64)
    for _ in range(50):
        middle = 0.5 * (low + high)
        moved = center + (directions * middle.unsqueeze(-1)) @ scale.mT
        inside = support.check(moved.reshape(-1, *event)).reshape(len(moved), -1).all(-1)
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return 0.8 * float(low.min())


def _without_validation(subject: DistributionSubject) -> Any:
    with validation(enabled=False):
        return subject.build(seed=0)


LAWS: tuple[Law, ...] = (
    density_has_mass_one,
    finite_support_has_mass_one,
    ball_volume_matches,
    log_prob_matches_the_reference,
    no_density_outside_the_support,
    samples_follow_the_density,
    samples_follow_the_mass_function,
    pit_of_samples_is_uniform,
    pointwise_gradient_is_that_of_the_draw,
)
