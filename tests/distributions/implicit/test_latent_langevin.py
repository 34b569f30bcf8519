"""Langevin dynamics in the noise: its limit with and without Metropolis' rule, one and several sheets of the generator."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import DensityUnavailable, ImplicitDistribution, standard_normal, standard_uniform
from probgen.distributions.implicit import LatentLangevin, StandardTruncatedNormal
from probgen.distributions.testing import dkwm_test

COUNT = 10_000


def shifted():
    return ImplicitDistribution(standard_normal(1), lambda z: 1 + z, (1,))


def true_ratio(x):
    return 0.5 - x[..., 0]


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_limit_is_the_target_whatever_the_step():
    """N(0, 1) from N(1, 1), large steps: 10 000 chains by DKWM, a distance of 0.06 is found; the proposal's is 0.38."""
    law = LatentLangevin(shifted(), true_ratio, num_steps=30, step_size=1.0)
    result = dkwm_test(law.sample((COUNT,)), dist.Normal(0.0, 1.0).cdf, false_alarm=1e-8)
    assert result.passed, result


@pytest.mark.statistical(false_alarm=1e-8)
def test_without_metropolis_rule_the_variance_is_too_large():
    """For a normal law the chain is autoregressive, with variance 1/(1 - step^2/4): 4/3 at 1. Within 6 errors, 0.12."""
    law = LatentLangevin(shifted(), true_ratio, num_steps=30, step_size=1.0, metropolis=False)
    variance = law.sample((COUNT,)).var().item()
    assert abs(variance - 4 / 3) < 6 * 4 / 3 * math.sqrt(2 / COUNT)


@pytest.mark.statistical(false_alarm=1e-8)
def test_a_generator_that_is_not_one_to_one():
    """|z| weighted by exp(-3 x^2 / 2) is |N(0, 1/4)|: both sheets are right. 10 000 chains by DKWM."""
    folded = ImplicitDistribution(standard_normal(1), torch.abs, (1,))
    law = LatentLangevin(folded, lambda x: -1.5 * x[..., 0].square(), num_steps=20, step_size=0.6)
    result = dkwm_test(law.sample((COUNT,)), dist.HalfNormal(0.5).cdf, false_alarm=1e-8)
    assert result.passed, result


def test_states_acceptance_and_a_start_of_ones_own():
    law = LatentLangevin(shifted().expand((3,)), true_ratio, num_steps=4, step_size=1e-3)
    z = torch.randn(5, 3, 1)
    chains = law.noise_chain(start=z)
    assert chains.value.shape == (5, 3, 1)
    assert (chains.acceptance > 0.99).all()
    assert 0 < (chains.value - z).abs().max() < 0.05
    assert (law.noise_chain((2,)).value.shape, law.noise_chain((2,)).acceptance.shape) == ((2, 3, 1), (2, 3))


def test_the_energy_is_that_of_the_noise_and_of_the_ratio():
    law, z = LatentLangevin(shifted(), true_ratio), torch.tensor([[0.0], [2.0]])
    torch.testing.assert_close(law.log_density(z), standard_normal(1).log_prob(z) + 0.5 - (1 + z[:, 0]))
    assert law.law.event_shape == (1,)


def test_networks_keep_their_gradients_to_themselves():
    generator, critic = torch.nn.Linear(2, 2), torch.nn.Linear(2, 1)
    law = LatentLangevin(
        ImplicitDistribution(standard_normal(2), generator, (2,)), lambda x: critic(x).squeeze(-1), num_steps=2
    )
    assert not law.sample((3,)).requires_grad
    assert all(p.grad is None for p in [*generator.parameters(), *critic.parameters()])


def test_noise_must_be_smooth_everywhere():
    with pytest.raises(ValueError, match="`law` must have noise on all reals"):
        LatentLangevin(ImplicitDistribution(standard_uniform(2), torch.nn.Identity(), (2,)), true_ratio)
    with pytest.raises(ValueError, match="`law` must have noise on all reals"):
        LatentLangevin(ImplicitDistribution(StandardTruncatedNormal((2,)), torch.nn.Identity(), (2,)), true_ratio)
    twice = ImplicitDistribution(shifted(), torch.nn.Identity(), (1,))
    with pytest.raises(DensityUnavailable, match="IndependenceMetropolis"):
        LatentLangevin(twice, true_ratio)


def test_a_ratio_that_is_nan_is_not_passed_over():
    with pytest.raises(ValueError, match="`log_ratio` must not be NaN"):
        LatentLangevin(shifted(), lambda x: x[..., 0].log(), num_steps=2).sample((100,))


@pytest.mark.parametrize("metropolis", [True, False])
def test_it_draws_in_inference_mode(metropolis):
    law = LatentLangevin(shifted(), true_ratio, num_steps=2, metropolis=metropolis)
    torch.manual_seed(0)
    wanted = law.sample((5,))
    torch.manual_seed(0)
    with torch.inference_mode():
        assert torch.equal(law.sample((5,)), wanted)
        assert law.noise_chain(start=torch.zeros(3, 1)).value.shape == (3, 1)
