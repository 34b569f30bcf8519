"""Draws of the posterior of an inverse problem, against the linear one and one with two modes."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import ImplicitDistribution, standard_normal
from probgen.gan import InverseProblem, Inversion, PosteriorDraws, annealed_posterior, invert
from tests.probgen.gan import linear_problem as linear


def problem():
    return InverseProblem(linear.law(), linear.mask, noise=linear.NOISE, observed_shape=(2,))


@pytest.mark.statistical(false_alarm=1e-8)
def test_a_linear_generator_has_a_normal_posterior():
    """1000 particles for each of three observations, of which 500 count: moments within 8 standard errors of independent draws,
    0.4 posterior deviations; the evidence within 0.3 nats, six times its own standard error and more.
    """
    draws, evidence = annealed_posterior(problem(), linear.Y, num_chains=1000, num_steps=40)
    mean, covariance = linear.posterior()
    assert (draws.efficiency > 0.45).all()
    found, error = draws.expectation(lambda z: z)
    assert ((found - mean).abs() < 8 * error).all()
    assert (error < 0.05 * covariance.diagonal().sqrt()).all()
    second = draws.expectation(lambda z: (z - mean).unsqueeze(-1) * (z - mean).unsqueeze(-2))
    assert ((second[0] - covariance).abs() < 8 * second[1]).all()
    assert (second[1] < 0.1 * covariance.diagonal().max()).all()
    assert evidence.kind == "lower"
    assert ((evidence.value - linear.log_evidence()).abs() < 0.3).all()
    assert (evidence.stderr < 0.06).all()


def test_little_noise_is_no_obstacle():
    """Deviations of 0.01: without resampling one particle in a hundred would count."""
    precise = InverseProblem(linear.law(), linear.mask, noise=0.01, observed_shape=(2,))
    draws, evidence = annealed_posterior(precise, linear.Y, num_chains=200, num_steps=60)
    assert (draws.efficiency > 0.45).all()
    exact = torch.linalg.solve(linear.SEEN, (linear.Y - linear.SHIFT[:2]).mT).mT
    torch.testing.assert_close(draws.expectation(lambda z: z)[0], exact, atol=0.01, rtol=0.0)
    assert (evidence.stderr < 0.5).all()


@pytest.mark.statistical(false_alarm=1e-8)
def test_two_modes_get_their_shares():
    """|z| = 1 with z from N(1/2, 1): the odds are e (up to the noise), the share 0.731.

    600 particles, 0.18 is 8 standard errors of independent draws; a sampler that loses a mode, or takes both as equal, is off
    by 0.23 or more.
    """
    law = ImplicitDistribution(dist.Normal(torch.tensor([0.5]), 1.0).to_event(1), torch.abs, (1,))
    draws, _ = annealed_posterior(InverseProblem(law, noise=0.1), torch.ones(1), num_chains=600, num_steps=60)
    share, error = draws.expectation(lambda z: (z[..., 0] > 0).float())
    assert error < 0.03
    assert abs(share - 1 / (1 + torch.tensor(-1 / 1.01).exp())) < 0.18
    assert (draws.value.abs() - 1).abs().median() < 0.1


def test_one_call_does_it_all():
    found = invert(
        linear.law(),
        linear.Y,
        linear.mask,
        noise=linear.NOISE,
        observed_shape=(2,),
        num_restarts=2,
        num_chains=32,
        num_steps=20,
    )
    assert isinstance(found, Inversion)
    assert isinstance(found.posterior, PosteriorDraws)
    mean, _ = linear.posterior()
    torch.testing.assert_close(found.restored(), linear.law().generate(mean).detach(), atol=2e-3, rtol=0.0)
    assert found.sample(5).shape == (5, 3, 3)
    assert not found.sample(5).requires_grad
    assert (found.posterior.log_evidence.value.shape, found.modes.z.shape) == ((3,), (2, 3, 2))


def test_what_is_hidden_is_restored_from_the_manifold():
    """Points of a line in four dimensions, of which one coordinate is seen almost without noise: the others follow."""
    direction = torch.tensor([1.0, -2.0, 0.5, 3.0])
    law = ImplicitDistribution(standard_normal(1), lambda z: z * direction, (4,))
    found = invert(law, torch.tensor([0.8]), lambda x: x[:, :1], noise=0.01, observed_shape=(1,), num_chains=32, num_steps=40)
    torch.testing.assert_close(found.restored(), 0.8 * direction, atol=2e-3, rtol=0.0)
    torch.testing.assert_close(found.sample(64).mean(0), 0.8 * direction, atol=0.05, rtol=0.0)


def test_errors():
    with pytest.raises(ValueError, match="must be positive and `num_moves` not negative; got 0, 100, 5 and 5"):
        annealed_posterior(problem(), linear.Y, num_chains=0)


def test_it_inverts_in_inference_mode():
    with torch.inference_mode():
        found = invert(
            linear.law(), linear.Y, linear.mask, noise=1.0, observed_shape=(2,), num_restarts=2, num_chains=4, num_steps=3
        )
        assert found.restored().shape == (3, 3)
        assert found.sample(2).shape == (2, 3, 3)
