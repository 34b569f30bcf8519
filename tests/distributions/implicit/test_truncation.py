"""Truncated noise."""

import math

import pyro.distributions as dist
import pytest
import scipy.stats
import torch

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.distributions.implicit import StandardTruncatedNormal, truncated
from probgen.distributions.testing import dkwm_test

TRUTH = scipy.stats.truncnorm(-1.5, 1.5)


def test_it_is_scipys():
    law, z = StandardTruncatedNormal(threshold=1.5), torch.linspace(-1.4, 1.4, 9, dtype=torch.float64)
    torch.testing.assert_close(law.log_prob(z), torch.as_tensor(TRUTH.logpdf(z)))
    torch.testing.assert_close(law.cdf(z), torch.as_tensor(TRUTH.cdf(z)))
    torch.testing.assert_close(law.icdf(law.cdf(z)), z)
    assert float(law.variance) == pytest.approx(TRUTH.var(), rel=1e-6)
    assert law.mean == law.mode == 0


def test_there_is_nothing_beyond_the_threshold():
    law = StandardTruncatedNormal((2,), threshold=1.5, validate_args=False)
    assert law.log_prob(torch.tensor([0.0, 1.6])) == -math.inf
    with pytest.raises(ValueError, match="must lie in the support"):
        StandardTruncatedNormal((2,), threshold=1.5).log_prob(torch.tensor([0.0, 1.6]))


@pytest.mark.statistical(false_alarm=1e-8)
def test_draws_follow_it():
    """20 000 draws by DKWM: a distance of 0.04 in distribution is found."""
    draws = StandardTruncatedNormal(threshold=1.5).sample((20_000,))
    result = dkwm_test(draws, lambda x: torch.as_tensor(TRUTH.cdf(x)), false_alarm=1e-8)
    assert result.passed, result


def test_a_far_threshold_changes_nothing_and_stays_finite():
    law = StandardTruncatedNormal((3,), threshold=50.0)
    assert law.sample((20_000,)).isfinite().all()
    torch.testing.assert_close(law.log_prob(torch.ones(3)), standard_normal(3).log_prob(torch.ones(3)))


def test_the_generator_and_its_context_are_kept():
    generator = torch.nn.Bilinear(4, 2, 3).double()
    law = ImplicitDistribution(standard_normal(4), generator, (3,), context_shape=(2,))
    bound = truncated(law.condition(torch.ones(5, 2).double()), 0.5)
    assert bound.generator is generator
    assert bound.rsample((2,)).shape == (2, 5, 3)
    assert bound.sample().dtype == torch.float64
    assert truncated(law, 0.5).condition(torch.ones(6, 2).double()).batch_shape == (6,)


def test_errors():
    with pytest.raises(ValueError, match=r"`threshold` must be positive and finite; got 0"):
        StandardTruncatedNormal(threshold=0)
    wrong = ImplicitDistribution(dist.Normal(torch.zeros(2), 2.0).to_event(1), torch.nn.Identity(), (2,))
    with pytest.raises(TypeError, match="must have standard normal noise"):
        truncated(wrong, 1.0)


def test_quantiles_stay_within_a_large_threshold():
    law = StandardTruncatedNormal(threshold=10.0)
    torch.testing.assert_close(law.icdf(torch.tensor([0.0, 0.5, 1.0])), torch.tensor([-10.0, 0.0, 10.0]))


def test_what_cannot_be_truncated_is_named():
    with pytest.raises(ValueError, match="positive and finite"):
        StandardTruncatedNormal(threshold=math.inf)
    with pytest.raises(TypeError, match="`law` must be an ImplicitDistribution"):
        truncated(torch.nn.Linear(2, 2), 1.0)
