"""Rate, mutual information, aggregate posterior and active units against linear-Gaussian encoders and separated codes."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.distributions.latent import (
    RateTerms,
    active_units,
    aggregate_posterior,
    rate_terms,
    unit_activity,
    unit_divergences,
)

A = torch.tensor([[0.8, -0.3, 0.1], [0.2, 0.5, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)  # the third unit is dead
SCALES = torch.tensor([0.4, 0.6, 1.0], dtype=torch.float64)
FACTOR = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.7, 0.0], [-0.3, 0.2, 1.1]], dtype=torch.float64)


def gaussian_encoder():
    """z = A x + s eps for data whose mean is exactly 0 and whose covariance is exactly S."""
    corners = math.sqrt(3) * torch.cat([FACTOR.mT, -FACTOR.mT])
    posterior = dist.Normal(corners @ A.mT, SCALES).to_event(1)
    spread = A @ (FACTOR @ FACTOR.mT) @ A.mT
    aggregate = dist.MultivariateNormal(torch.zeros(3).double(), spread + SCALES.square().diag())
    return posterior, aggregate, spread


def test_decomposition_is_exact_for_linear_gaussian_encoders():
    """I = (log det(A S A' + D) - log det D) / 2; the divergences of normal laws see moments only, so six data stand for all."""
    posterior, aggregate, spread = gaussian_encoder()
    full = dist.MultivariateNormal(posterior.mean, SCALES.square().diag())
    prior = dist.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    terms = rate_terms(full, prior, aggregate=aggregate)
    assert isinstance(terms, RateTerms)
    information = 0.5 * torch.logdet(spread + SCALES.square().diag()) - SCALES.log().sum()
    marginal = torch.distributions.kl_divergence(aggregate, prior)
    assert {term.kind for term in terms} == {"exact"}
    torch.testing.assert_close(terms.mutual_information.value, information, atol=1e-12, rtol=0)
    torch.testing.assert_close(terms.marginal_divergence.value, marginal, atol=1e-12, rtol=0)
    torch.testing.assert_close(terms.rate.value, information + marginal, atol=1e-12, rtol=0)
    torch.testing.assert_close(unit_divergences(posterior, standard_normal(3)).sum(), terms.rate.value)


def test_activity_is_the_variance_of_the_means():
    posterior, _, spread = gaussian_encoder()
    torch.testing.assert_close(unit_activity(posterior), spread.diagonal(), atol=1e-12, rtol=0)
    assert active_units(posterior).tolist() == [True, True, False]
    assert float(unit_divergences(posterior, standard_normal(3))[2]) == 0.0


@pytest.mark.statistical(false_alarm=1e-8)
def test_activity_by_draws_is_unbiased():
    """Two draws a datum, 3000 repetitions; leaving the noise within a datum in would add 0.08, 0.18 and 0.5."""
    torch.manual_seed(0)
    posterior, _, spread = gaussian_encoder()
    found = torch.stack([unit_activity(posterior, 2) for _ in range(3000)])
    error = found.std(0) / math.sqrt(3000)
    assert ((found.mean(0) - spread.diagonal()).abs() < 6 * error).all()
    assert (error < 0.02).all()


@pytest.mark.statistical(false_alarm=1e-8)
def test_mutual_information_of_a_mixture():
    """N = 50, s = 0.3: the draws agree with quadrature of q(z) log q(z), within 6 standard errors of about 0.004."""
    torch.manual_seed(0)
    means = torch.randn(50, dtype=torch.float64)
    posterior = dist.Normal(means, 0.3)
    terms = rate_terms(posterior, dist.Normal(0.0, 1.0), num_draws=400, rows=1000)
    z = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    log_q = aggregate_posterior(posterior).log_prob(z)
    entropy = -torch.trapezoid(log_q.exp() * log_q, z)
    exact = entropy - posterior.entropy().mean()
    information = terms.mutual_information
    assert abs(float(information.value - exact)) < 6 * float(information.stderr)
    assert 0 < float(information.stderr) < 0.01
    assert float(information.value) < math.log(50)
    marginal = torch.trapezoid(log_q.exp() * (log_q - dist.Normal(0.0, 1.0).log_prob(z)), z)
    assert abs(float(terms.marginal_divergence.value - marginal)) < 6 * float(terms.marginal_divergence.stderr)
    assert terms.rate.kind == "exact"


@pytest.mark.parametrize("count", [1, 2, 7])
def test_data_that_are_told_apart_carry_log_n(count):
    """No draw can say more, and codes far apart say it all."""
    posterior = dist.Normal(100.0 * torch.arange(count).double(), 1.0)
    terms = rate_terms(posterior, dist.Normal(0.0, 300.0), num_draws=3)
    torch.testing.assert_close(terms.mutual_information.value, torch.tensor(float(count)).double().log())
    difference = terms.rate.value - terms.mutual_information.value
    torch.testing.assert_close(terms.marginal_divergence.value, difference)


def test_collapsed_posterior_says_nothing():
    posterior = dist.Normal(torch.zeros(9, 2), 1.0).to_event(1)
    for term in rate_terms(posterior, standard_normal(2), num_draws=2):
        assert abs(float(term.value)) < 1e-6
    assert not active_units(posterior).any()
    torch.testing.assert_close(unit_divergences(posterior, standard_normal(2)), torch.zeros(2))


def test_no_closed_form_is_needed():
    """A flow as posterior, a mixture as prior."""
    torch.manual_seed(0)
    posterior = TransformedDistribution(dist.Normal(torch.randn(6, 1), 0.5).to_event(1), Affine(0.3, 2.0))
    prior = aggregate_posterior(dist.Normal(torch.randn(3, 1), 1.0).to_event(1))
    terms = rate_terms(posterior, prior, num_draws=5, rows=4)
    assert terms.rate.kind == "unbiased"
    total = terms.mutual_information.value + terms.marginal_divergence.value
    torch.testing.assert_close(terms.rate.value, total)
    assert unit_activity(posterior, 4).shape == (1,)


def test_one_draw_has_an_error_too():
    posterior = dist.Normal(torch.randn(5, 2), 0.5).to_event(1)
    assert float(rate_terms(posterior, standard_normal(2)).mutual_information.stderr) > 0
    alone = dist.Normal(torch.randn(1, 2), 0.5).to_event(1)
    assert math.isnan(float(rate_terms(alone, standard_normal(2)).mutual_information.stderr))


def test_misuse():
    posterior = dist.Normal(torch.zeros(4, 2), 1.0).to_event(1)
    for law in (dist.Normal(0.0, 1.0), dist.Normal(torch.zeros(2, 3, 1), 1.0).to_event(1), dist.Normal(torch.zeros(0), 1.0)):
        with pytest.raises(ValueError, match=r"`posterior` must have batch shape \[N\]"):
            rate_terms(law, standard_normal(law.event_shape))
    with pytest.raises(ValueError, match="`num_draws` and `rows`"):
        rate_terms(posterior, standard_normal(2), num_draws=0)
    with pytest.raises(ValueError, match="N >= 2"):
        unit_activity(dist.Normal(torch.zeros(1), 1.0))
    with pytest.raises(ValueError, match="`num_draws` must be at least 2"):
        unit_activity(posterior, 1)
    with pytest.raises(ValueError, match="`posterior` must have independent coordinates"):
        unit_divergences(dist.MultivariateNormal(torch.zeros(4, 2), torch.eye(2)), standard_normal(2))
    with pytest.raises(ValueError, match="no closed form"):
        unit_divergences(posterior, dist.StudentT(torch.full((2,), 3.0)).to_event(1))
