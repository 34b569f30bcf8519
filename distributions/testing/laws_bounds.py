r"""Laws of densities that are only bounded or estimated: they are not passed off as exact, and a bound is a bound."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions.constraints import is_real
from probgen.distributions.testing.distribution_subject import DistributionSubject
from probgen.distributions.testing.law import Law, LawViolation, Tally, define_law
from probgen.distributions.testing.laws_density import first_of_batch, require_passed
from probgen.distributions.testing.oracles import grid_cdf
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.statistics import FALSE_ALARM, mean_test
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "dequantization_bound_is_below_the_mass", "inexact_density_raises"]

VALUES = 8


def _refuses(subject: DistributionSubject) -> bool:
    return not subject.is_exact and not getattr(subject.distribution, "allow_estimate", False)


def _dequantizes_a_scalar(subject: DistributionSubject) -> bool:
    distribution = subject.distribution
    base = getattr(distribution, "base_dist", None)
    if base is None or getattr(distribution, "log_prob_kind", "exact") != "lower" or not subject.is_discrete:
        return False
    return not base.event_shape and base.batch_shape.numel() == 1 and is_real(base.support) and hasattr(distribution, "levels")


@define_law(
    "D6",
    "A density that is not exact is not returned: log_prob raises DensityUnavailable.",
    kind="distribution",
    applies=_refuses,
    scales=(),
    once=True,
)
def inexact_density_raises(subject: DistributionSubject, draw: Draw) -> Tally:
    """Unless the object was built to allow estimates."""
    from probgen.distributions import DensityUnavailable

    value = subject.sample(draw, (3,))
    try:
        result = subject.distribution.log_prob(value)
    except DensityUnavailable:
        return Tally()
    raise LawViolation("inexact_density_raises", "log_prob", "DensityUnavailable", result)


@define_law(
    "D6",
    "The weights of a dequantization bound average to the mass of the cell; the mean bound lies below its logarithm (CLT).",
    kind="distribution",
    applies=_dequantizes_a_scalar,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def dequantization_bound_is_below_the_mass(subject: DistributionSubject, draw: Draw) -> Tally:
    """Drawn values; the mass is integrated from the continuous density. In an end cell, which holds a tail, it may be more."""
    law, distribution, tally = "dequantization_bound_is_below_the_mass", subject.distribution, Tally(0)
    rate, levels = FALSE_ALARM / (2 * VALUES), distribution.levels
    with validation(enabled=False), torch.no_grad():
        cdf = grid_cdf(distribution.base_dist.expand(torch.Size()))
        for value in first_of_batch(subject, subject.sample(draw, (200,))).unique()[:VALUES]:
            bounds = _bounds(subject, value, 4000)
            mass = _cell_mass(cdf, value)
            inner = levels is None or 0 < float(value) < levels - 1
            weights = bounds.exp()
            if inner or float(weights.mean()) > float(mass):
                tally += require_passed(mean_test(weights, mass, rate), law, f"mass {float(mass):.5g}", weights.mean())
            if float(bounds.mean()) > float(mass.log()):
                tally += require_passed(
                    mean_test(bounds, mass.log(), rate), law, f"at most {float(mass.log()):.5g}", bounds.mean()
                )
    return tally + Tally(10)


def _bounds(subject: DistributionSubject, value: Tensor, count: int) -> Tensor:
    """Bounds of one value from one draw of noise each."""
    distribution = subject.distribution
    repeated = value.reshape(()).expand(count, *distribution.batch_shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return first_of_batch(subject, distribution.bound(repeated)).double()


def _cell_mass(cdf: Callable[[Tensor], Tensor], value: Tensor) -> Tensor:
    edges = cdf(torch.stack([value, value + 1]).double())
    return edges[1] - edges[0]


LAWS: tuple[Law, ...] = (inexact_density_raises, dequantization_bound_is_below_the_mass)
