r"""Laws of latent-variable models whose marginal law is known: weights are unbiased, bounds lie below, draws are right.

With weights :math:`w(z) = p(x, z) / q(z \mid x)`, of draws from the approximate posterior,

.. math::

    \mathbb E[w] = p(x), \qquad \mathbb E[\mathrm{ELBO}(x)] = \mathbb E[\log w], \qquad
    \mathbb E[\mathrm{ELBO}(x)] \le \mathbb E[\mathrm{IWAE}_n(x)] \le \log p(x).

The reference of the case is the marginal law by other means. The approximate posterior must be wide enough for the weights to
have a variance.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.distributions.latent import MarginalDistribution
from probgen.distributions.testing.distribution_subject import DistributionSubject, default_dtype
from probgen.distributions.testing.law import Law, Tally, define_law
from probgen.distributions.testing.laws_density import first_of_batch, require_passed
from probgen.distributions.testing.oracles import reference_log_prob
from probgen.distributions.testing.points import Draw
from probgen.distributions.testing.statistics import (
    FALSE_ALARM,
    TestResult,
    mean_test,
    projected_two_sample_test,
)
from probgen.distributions.testing.validation import validation

__all__ = ["LAWS", "importance_weights_average_to_the_density", "marginal_bounds_are_ordered", "marginal_draws_are_right"]

VALUES = 8
DRAWS = 4000
GROUP = 5


def _is_known(subject: DistributionSubject) -> bool:
    return isinstance(subject.distribution, MarginalDistribution) and subject.reference is not None


@define_law(
    "D6",
    "The importance weights of a latent-variable model average to the density of the reference (CLT).",
    kind="distribution",
    applies=_is_known,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def importance_weights_average_to_the_density(subject: DistributionSubject, draw: Draw) -> Tally:
    """At drawn values, relative to the density."""
    tally, law = Tally(0), "importance_weights_average_to_the_density"
    with validation(enabled=False), torch.no_grad(), torch.random.fork_rng(devices=[]), default_dtype(subject.dtype):
        torch.manual_seed(draw.seed)
        x, log_p = _values(subject, draw)
        relative = (subject.distribution.log_weights(x, DRAWS).double() - log_p).exp()
        for row in relative.reshape(DRAWS, -1).unbind(1):
            tally += require_passed(_near(row, 1.0, subject, relative.numel() // DRAWS), law, "weights with mean 1", row.mean())
    return tally


@define_law(
    "D6",
    "E[ELBO] = E[log w], and E[ELBO] <= E[IWAE_n] <= log p of the reference (CLT).",
    kind="distribution",
    applies=_is_known,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def marginal_bounds_are_ordered(subject: DistributionSubject, draw: Draw) -> Tally:
    """The mean over drawn values; every number comes from draws of its own."""
    law, d = "marginal_bounds_are_ordered", subject.distribution
    with validation(enabled=False), torch.no_grad(), torch.random.fork_rng(devices=[]), default_dtype(subject.dtype):
        torch.manual_seed(draw.seed)
        x, log_p = _values(subject, draw)
        many = x.expand(DRAWS, *x.shape)
        elbo, iwae = (_over_values(bound - log_p) for bound in (d.elbo(many), d.iwae(many, GROUP)))
        log_weight = _over_values(d.log_weights(x, DRAWS) - log_p)
    require_passed(_near(elbo - log_weight, 0.0, subject, 4), law, "E[ELBO] = E[log w]", (elbo - log_weight).mean())
    for gap, what in (
        (-iwae, "log p - E[IWAE] >= 0"),
        (iwae - elbo, "E[IWAE] - E[ELBO] >= 0"),
        (-elbo, "log p - E[ELBO] >= 0"),
    ):
        if float(gap.mean()) < 0:
            require_passed(_near(gap, 0.0, subject, 4), law, what, gap.mean())
    return Tally(40)


@define_law(
    "D6",
    "Draws of a latent-variable model have the marginal law of the reference (two samples along random directions).",
    kind="distribution",
    applies=_is_known,
    scales=(),
    false_alarm=FALSE_ALARM,
)
def marginal_draws_are_right(subject: DistributionSubject, draw: Draw) -> Tally:
    """The first of a batch."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        other = subject.reference.sample(torch.Size((len(subject.many),)))
    drawn, wanted = (first_of_batch(subject, value).double() for value in (subject.many, other))
    result = projected_two_sample_test(drawn, wanted, false_alarm=FALSE_ALARM)
    return require_passed(result, "marginal_draws_are_right", "draws of the reference", result)


def _values(subject: DistributionSubject, draw: Draw) -> tuple[Tensor, Tensor]:
    x = subject.sample(draw, (VALUES,))
    return x, reference_log_prob(subject.reference, x).double().reshape(VALUES, *subject.distribution.batch_shape)


def _over_values(terms: Tensor) -> Tensor:
    """The mean over values and batch of every draw."""
    return terms.double().flatten(1).mean(1)


def _near(samples: Tensor, expected: float, subject: DistributionSubject, tests: int) -> TestResult:
    """A mean test with room for rounding, where all draws are the same but for that."""
    rate, room = FALSE_ALARM / tests, 1e3 * subject.eps
    if abs(float(samples.mean()) - expected) <= room:
        return TestResult(0.0, room, rate, room)
    return mean_test(samples, expected, rate)


LAWS: tuple[Law, ...] = (
    importance_weights_average_to_the_density,
    marginal_bounds_are_ordered,
    marginal_draws_are_right,
)
