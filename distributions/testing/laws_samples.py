r"""Laws of samples: draws follow the density that the same object returns.

Statistical laws judge the draws of ``DistributionSubject.many``, each with a false-alarm rate of ``FALSE_ALARM``. The law that
needs nothing but draws and values of the density, in any dimension, is the balance: with a normal law :math:`q` fitted to other
draws, and a set :math:`B`,

.. math::

    \mathbb E_p\Big[1_B \frac{q}{p + q}\Big] = \int_B \frac{p\, q}{p + q} = \mathbb E_q\Big[1_B \frac{p}{p + q}\Big].

Every term lies in [0, 1], so a peak or a hole of the density cannot blow up the variance (as it does that of :math:`1 / p`),
and the test needs no central limit theorem.

References:
    Bennett (1976). Efficient estimation of free energy differences from Monte Carlo data.
    https://doi.org/10.1016/0021-9991(76)90078-4
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.laws_density import (
    dimension_of,
    first_of_batch,
    flattened,
    is_continuous,
    is_enumerable,
    is_scalar,
    require_passed,
)
from probgen.distributions.testing.oracles import event_points, free_coordinates_of, grid_cdf, placement
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.statistics import (
    FALSE_ALARM,
    bounded_means_test,
    chi_square_test,
    dkwm_test,
    uniformity_test,
)
from probgen.distributions.testing.validation import validation

__all__ = [
    "LAWS",
    "draws_balance_the_density",
    "pit_of_samples_is_uniform",
    "samples_follow_the_density",
    "samples_follow_the_mass_function",
]

MOST_DIMENSIONS = 64
RADIUS = 4.0


def _has_chart(subject: DistributionSubject) -> bool:
    return is_continuous(subject) and 1 <= dimension_of(subject) <= MOST_DIMENSIONS


def _one_scalar(subject: DistributionSubject) -> bool:
    return is_scalar(subject) and subject.distribution.batch_shape.numel() == 1


def _has_pit(subject: DistributionSubject) -> bool:
    if not (is_continuous(subject) and hasattr(subject.distribution, "probability_integral_transform")):
        return False
    with validation(enabled=False), torch.no_grad():
        value = subject.distribution.probability_integral_transform(subject.sample(Draw(), (1,)))
    return value is not None


@define_law(
    "Q3",
    "E_p[q / (p + q)] = E_q[p / (p + q)] for draws of the distribution p and a normal law q (bounded terms, any dimension).",
    kind="distribution",
    applies=_has_chart,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def draws_balance_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """In free coordinates, four deviations around the median of the first half of the draws; p is judged on the second."""
    support, dim, many = subject.distribution.support, dimension_of(subject), subject.many
    with validation(enabled=False), torch.no_grad():
        u = first_of_batch(subject, free_coordinates_of(support, many, dim).double())
        first, second = u[: len(u) // 2], u[len(u) // 2 :]
        middle, factor = placement(first)
        noise = torch.randn(second.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        other = middle + noise @ factor.mT
        drawn = _share(subject, second, middle, factor, own=False)
        proposed = _share(subject, other, middle, factor, own=True)
    result = bounded_means_test(drawn, proposed)
    expected = f"{float(proposed.mean()):.4g} by integrating the density"
    return require_passed(result, "draws_balance_the_density", expected, f"{float(drawn.mean()):.4g} from the draws")


@define_law(
    "D2",
    "Scalar draws follow the distribution function integrated from the density (DKWM).",
    kind="distribution",
    applies=_one_scalar,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def samples_follow_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """A batch of one; larger batches are judged by ``draws_balance_the_density``."""
    with validation(enabled=False), torch.no_grad():
        single = subject.distribution.expand(torch.Size())
        result = dkwm_test(flattened(subject).squeeze(-1), grid_cdf(single))
    return require_passed(result, "samples_follow_the_density", "draws with the distribution function of the density", result)


@define_law(
    "D2",
    "Discrete draws follow the mass function (chi-square with a pooled tail).",
    kind="distribution",
    applies=is_enumerable,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def samples_follow_the_mass_function(subject: DistributionSubject, draw: Draw) -> Tally:
    """The first element of the batch, all states."""
    distribution = subject.distribution
    with validation(enabled=False), torch.no_grad():
        support = distribution.enumerate_support(expand=True)
        probabilities = first_of_batch(subject, distribution.log_prob(support)).exp()
        states = first_of_batch(subject, support).reshape(len(support), -1).double()
    samples = flattened(subject)
    rows, place = torch.cat([states, samples]).unique(dim=0, return_inverse=True)
    known = torch.zeros(len(rows), dtype=torch.bool).index_fill(0, place[: len(states)], value=True)
    strange = ~known[place[len(states) :]]
    if bool(strange.any()):
        raise LawViolation("samples_follow_the_mass_function", "draws", "a state of the support", samples[strange][0])
    counts = torch.bincount(place[len(states) :], minlength=len(rows))[place[: len(states)]]
    result = chi_square_test(counts, probabilities)
    return require_passed(result, "samples_follow_the_mass_function", probabilities, counts / len(samples))


@define_law(
    "D2",
    "The probability integral transform of draws is uniform in every coordinate (DKWM).",
    kind="distribution",
    applies=_has_pit,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def pit_of_samples_is_uniform(subject: DistributionSubject, draw: Draw) -> Tally:
    """Where the distribution knows such a transform."""
    with validation(enabled=False), torch.no_grad():
        uniform = subject.distribution.probability_integral_transform(subject.many)
    result = uniformity_test(first_of_batch(subject, uniform))
    return require_passed(result, "pit_of_samples_is_uniform", "uniform coordinates", result)


def _share(subject: DistributionSubject, u: Tensor, middle: Tensor, factor: Tensor, *, own: bool) -> Tensor:
    """P / (p + q) if ``own`` else q / (p + q), inside the ball of whitened radius ``RADIUS`` (per root of the dimension)."""
    distribution, dim = subject.distribution, u.shape[-1]
    batch = distribution.batch_shape
    full = u.reshape(len(u), *(1 for _ in batch), dim).expand(len(u), *batch, dim)
    value, log_weight = event_points(distribution.support, distribution.event_shape, full)
    log_p = first_of_batch(subject, distribution.log_prob(value.to(subject.many.dtype)).double() + log_weight)
    white = torch.linalg.solve_triangular(factor, (u - middle).mT, upper=False).mT
    log_q = -0.5 * white.square().sum(-1) - 0.5 * dim * math.log(2 * math.pi) - factor.diagonal().log().sum()
    ratio = log_p - log_q
    inside = white.norm(dim=-1) <= RADIUS * math.sqrt(dim)
    return torch.where(inside, torch.sigmoid(ratio if own else -ratio), 0.0)


LAWS: tuple[Law, ...] = (
    draws_balance_the_density,
    samples_follow_the_density,
    samples_follow_the_mass_function,
    pit_of_samples_is_uniform,
)
