"""Independence Metropolis–Hastings: its limit, its start, its rate of acceptance."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.implicit import ChainDraws, IndependenceMetropolis
from probgen.distributions.testing import dkwm_test
from tests.distributions.implicit.normal_pair import true_ratio

TARGET, PROPOSAL = dist.Normal(0.0, 1.0), dist.Normal(torch.tensor(0.0), 2.0)


def log_ratio(x):
    return TARGET.log_prob(x) - PROPOSAL.log_prob(x)


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_limit_is_the_target():
    """M = 2: after 20 steps the distance is below 2^-20. 20 000 chains by DKWM: a distance of 0.04 is found."""
    result = dkwm_test(IndependenceMetropolis(PROPOSAL, log_ratio, 20).sample((20_000,)), TARGET.cdf, false_alarm=1e-8)
    assert result.passed, result


@pytest.mark.statistical(false_alarm=1e-8)
def test_without_a_step_it_is_the_proposal():
    """20 000 draws by DKWM; the target is 0.16 away."""
    chains = IndependenceMetropolis(PROPOSAL, log_ratio, 0).chain((20_000,))
    assert dkwm_test(chains.value, PROPOSAL.cdf, false_alarm=1e-8).passed
    assert (chains.acceptance == 0).all()


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_rate_of_acceptance():
    """N(0, 1) from N(1, 1): 2 Phi(-1/sqrt 2) = 0.4795 once chains are there. 2000 chains of 200 steps, within 0.02."""
    law = IndependenceMetropolis(dist.Normal(torch.tensor(1.0), 1.0), true_ratio, 200)
    chains = law.chain((2000,))
    assert isinstance(chains, ChainDraws)
    assert abs(chains.acceptance.mean().item() - math.erfc(0.5)) < 0.02


def test_a_discrete_law():
    """Categories 0, 1, 2 with weights 1, 0, 1: the middle one dies out."""
    law = IndependenceMetropolis(dist.Categorical(torch.ones(3)), lambda x: torch.where(x == 1, -torch.inf, 0.0), num_steps=60)
    drawn = law.sample((500,))
    assert drawn.dtype == torch.long
    assert set(drawn.tolist()) == {0, 2}


def test_a_ratio_that_is_no_number_is_never_moved_to():
    """Chains that begin at NaN leave it: 40 steps all meet it with a chance of 1e-12, for one of 500 chains 5e-10."""
    law = IndependenceMetropolis(PROPOSAL, lambda x: torch.where(x > 0, torch.nan, 0.0), num_steps=40)
    assert (law.sample((500,)) <= 0).all()


def test_a_ratio_that_is_never_a_number_is_refused():
    with pytest.raises(ValueError, match="`log_ratio` must not be NaN"):
        IndependenceMetropolis(PROPOSAL, lambda x: x * float("nan"), 3).sample((5,))
