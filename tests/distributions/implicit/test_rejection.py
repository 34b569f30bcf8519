"""Rejection: exact draws, the rate of acceptance, bounds that do not hold."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import DensityUnavailable
from probgen.distributions.implicit import RejectionDistribution
from probgen.distributions.testing import dkwm_test

TARGET, PROPOSAL = dist.Normal(0.0, 1.0), dist.Normal(torch.tensor(0.0), 2.0)


def log_ratio(x):
    return TARGET.log_prob(x) - PROPOSAL.log_prob(x)


def law(**arguments):
    return RejectionDistribution(PROPOSAL, log_ratio, math.log(2), **arguments)


@pytest.mark.statistical(false_alarm=1e-8)
def test_draws_are_those_of_the_target():
    """20 000 draws by DKWM: a distance of 0.04 in distribution is found; the proposal's is 0.16."""
    draws = law().sample((20_000,))
    result = dkwm_test(draws, TARGET.cdf, false_alarm=1e-8)
    assert result.passed, result
    assert not dkwm_test(draws, PROPOSAL.cdf, false_alarm=1e-8).passed


@pytest.mark.statistical(false_alarm=1e-8)
def test_one_in_m_is_accepted():
    """M = 2; 20 000 proposals: within 6 deviations, 0.02."""
    assert law(log_normalizer=0.0).acceptance(1) == 0.5
    assert abs(law().acceptance(20_000) - 0.5) < 6 * 0.5 / math.sqrt(20_000)


def test_the_density_is_exact_if_the_constant_is_known():
    x = torch.randn(5)
    exact = law(log_normalizer=0.0)
    assert (exact.log_prob_kind, law().log_prob_kind) == ("exact", "none")
    torch.testing.assert_close(exact.log_prob(x), TARGET.log_prob(x))
    assert exact.log_prob_estimate(x).kind == "exact"
    with pytest.raises(DensityUnavailable):
        law().log_prob(x)


@pytest.mark.statistical(false_alarm=1e-9)
def test_an_estimated_constant_bounds_the_density_from_above():
    """The ratio is bounded, so 4000 draws give log Z to 0.01 (6 standard errors 0.06)."""
    x = torch.randn(5)
    estimate = law().log_prob_estimate(x, num_draws=4000)
    assert estimate.kind == "upper"
    torch.testing.assert_close(estimate.value, TARGET.log_prob(x), atol=0.1, rtol=0.0)
    assert (estimate.stderr < 0.02).all()


def test_a_bound_that_does_not_hold_is_an_error():
    wrong = RejectionDistribution(PROPOSAL, log_ratio, 0.0)
    with pytest.raises(ValueError, match=r"`log_ratio` must not exceed `log_bound`, 0; it does by 0\.6"):
        wrong.sample((100,))
    with pytest.raises(ValueError, match="must not exceed"):
        RejectionDistribution(PROPOSAL, lambda x: x * torch.nan, 0.0).sample()


def test_a_far_too_large_bound_ends():
    hopeless = RejectionDistribution(PROPOSAL, log_ratio, 200.0, max_rounds=3)
    with pytest.raises(RuntimeError, match="5 of 5 draws were not accepted in 3 rounds"):
        hopeless.sample((5,))
