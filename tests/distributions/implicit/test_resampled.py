"""Importance resampling: its law at K = 1 and as K grows."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.implicit import ResampledDistribution
from probgen.distributions.testing import dkwm_test
from tests.distributions.implicit.normal_pair import true_ratio


def law(num_proposals):
    return ResampledDistribution(dist.Normal(torch.tensor(1.0), 1.0), true_ratio, num_proposals)


@pytest.mark.statistical(false_alarm=1e-8)
def test_one_proposal_is_not_corrected():
    """20 000 draws by DKWM: a distance of 0.04 in distribution is found."""
    result = dkwm_test(law(1).sample((20_000,)), dist.Normal(1.0, 1.0).cdf, false_alarm=1e-8)
    assert result.passed, result


@pytest.mark.statistical(false_alarm=1e-8)
@pytest.mark.parametrize("num_proposals", [50, 200])
def test_the_error_is_e_over_the_number_of_proposals(num_proposals):
    """The mean of N(0, 1) is missed by -E_q[w^2 x]/K = e/K + O(1/K^2). 20 000 draws: within 6 standard errors and 20/K^2."""
    mean = law(num_proposals).sample((20_000,)).mean().item()
    assert abs(mean - math.e / num_proposals) < 6 / math.sqrt(20_000) + 20 / num_proposals**2


@pytest.mark.statistical(false_alarm=1e-8)
def test_batches_have_their_own_pools():
    """A mixture of two points, whose shares become 0.8 and 0.2 by weights 4 and 1: 20 000 draws, shares within 6 deviations."""
    two = ResampledDistribution(dist.Bernoulli(torch.tensor([0.5, 0.5])), lambda x: math.log(4) * x, 400)
    shares = two.sample((20_000,)).mean(0)
    assert ((shares - 0.8).abs() < 6 * 0.4 / math.sqrt(20_000) + 0.002).all()
    assert (two.sample((50,))[:, 0] != two.sample((50,))[:, 1]).any()
