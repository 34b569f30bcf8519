"""How posteriors are made of priors and data."""

import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from probgen.vae.posterior_rule import posterior_of, tempered


def normal(*shape):
    return dist.Normal(torch.randn(*shape).double(), torch.randn(*shape).double().exp()).to_event(1)


def test_without_a_correction_the_residual_posterior_is_the_prior():
    prior = normal(5, 3)
    nothing = dist.Normal(torch.zeros(5, 3).double(), 1.0).to_event(1)
    posterior = posterior_of("residual", prior, nothing)
    assert torch.equal(kl_divergence(posterior, prior), torch.zeros(5).double())


def test_residual_divergence_depends_on_the_correction_alone():
    r"""KL = 1/2 sum (s^2 + m^2 - 1 - log s^2)."""
    prior, correction = normal(5, 3), normal(5, 3)
    m, s = correction.base_dist.loc, correction.base_dist.scale
    expected = 0.5 * (s**2 + m**2 - 1 - 2 * s.log()).sum(-1)
    torch.testing.assert_close(kl_divergence(posterior_of("residual", prior, correction), prior), expected)


def test_precision_weighting_is_bayes_rule():
    """The log-density differs from log prior + log correction by a constant."""
    prior, correction = normal(3), normal(3)
    posterior = posterior_of("precision-weighted", prior, correction)
    z = torch.randn(100, 3).double() * 3
    constant = posterior.log_prob(z) - prior.log_prob(z) - correction.log_prob(z)
    torch.testing.assert_close(constant, constant[:1].expand(100))


def test_precision_weighting_survives_extreme_scales():
    prior = dist.Normal(torch.tensor([1.0, 1.0]), torch.tensor([1e-8, 1e8])).to_event(1)
    correction = dist.Normal(torch.tensor([2.0, 2.0]), torch.tensor([1e8, 1e-8])).to_event(1)
    posterior = posterior_of("precision-weighted", prior, correction).base_dist
    torch.testing.assert_close(posterior.loc, torch.tensor([1.0, 2.0]))
    torch.testing.assert_close(posterior.scale, torch.tensor([1e-8, 1e-8]))


def test_direct_is_the_correction():
    correction = normal(3)
    assert posterior_of("direct", normal(3), correction) is correction


def test_errors_name_what_came():
    with pytest.raises(ValueError, match=r"`posterior` must be one of .*; got 'sum'"):
        posterior_of("sum", normal(3), normal(3))
    laplace = dist.Laplace(torch.zeros(3), 1.0).to_event(1)
    with pytest.raises(TypeError, match=r"prior must be normal .*; got Laplace"):
        posterior_of("residual", laplace, normal(3))
    with pytest.raises(ValueError, match="`temperature` must be positive; got 0"):
        tempered(laplace, 0)
    with pytest.raises(TypeError, match="got Laplace"):
        tempered(laplace, 0.5)
    assert tempered(laplace, 1.0) is laplace


def test_temperature_scales_the_deviation():
    law = normal(2, 3)
    cold = tempered(law, 0.25)
    assert torch.equal(cold.base_dist.scale, 0.25 * law.base_dist.scale)
    assert cold.event_shape == law.event_shape
