"""Outlier scores of a model whose scores are known, and the failure that they share."""

import pytest
import torch

from probgen.distributions.latent import MixturePrior, ProbabilisticPCA
from probgen.vae import mlp_vae
from probgen.vae.latent_space import OutlierScores, outlier_scores
from tests.probgen.vae.linear_models import exact_rows, linear_vae

EIGENVALUES = [4.0, 1.5, 0.7, 0.3]


def model():
    x = exact_rows(EIGENVALUES)
    return ProbabilisticPCA.fit(x, 2), x


def test_scores_of_a_linear_model_are_exact():
    exact, x = model()
    scores = outlier_scores(linear_vae(exact), x[:50])
    assert isinstance(scores, OutlierScores)
    assert torch.allclose(scores.likelihood, -exact.log_prob(x[:50]), atol=1e-9)  # every weight is p(x): the encoder is exact
    posterior = exact.posterior(x[:50])
    assert torch.allclose(scores.reconstruction, -exact.decode(posterior.mean).log_prob(x[:50]), atol=1e-9)
    prior = torch.distributions.MultivariateNormal(torch.zeros(2).double(), torch.eye(2).double())
    assert torch.allclose(scores.divergence, torch.distributions.kl_divergence(posterior, prior), atol=1e-9)


def test_each_score_has_its_blind_spot():
    """Far along a latent direction: rebuilt perfectly. At the mean: more likely than any datum, and yet not typical."""
    x = exact_rows([4.0, 1.5, 0.1, 0.1])
    vae = linear_vae(ProbabilisticPCA.fit(x, 2))
    usual = outlier_scores(vae, x)
    far = outlier_scores(vae, torch.tensor([[12.0, 0.0, 0.0, 0.0]]).double())
    assert float(far.reconstruction) < float(usual.reconstruction.quantile(0.5))
    assert float(far.likelihood) > float(usual.likelihood.max())
    assert float(far.divergence) > float(usual.divergence.max())
    center = outlier_scores(vae, torch.zeros(1, 4).double())
    assert float(center.likelihood) < float(usual.likelihood.min())
    assert float(center.typicality(usual)) > float(usual.typicality(usual).quantile(0.5))


def test_scores_repeat_and_leave_the_global_stream_alone():
    exact, x = model()
    vae = linear_vae(exact, scale=2.0)
    state = torch.get_rng_state()
    first, second = (outlier_scores(vae, x[:5], num_draws=3).likelihood for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.statistical(false_alarm=1e-9)
def test_divergence_from_a_mixture_is_averaged_over_draws():
    """No closed form: one draw differs by 1 nat from the next, and the same datum twice had two scores."""
    torch.manual_seed(0)
    vae = mlp_vae((4,), 2, hidden=(8,), prior=MixturePrior(3, 2))
    x = torch.zeros(2, 4)
    first, second = outlier_scores(vae, x, num_draws=20_000).divergence
    assert abs(first - second) < 0.08  # standard deviation of a draw below 1: eight standard errors
    z = vae.encode(x[:1]).sample((20_000,))
    expected = (vae.encode(x[:1]).log_prob(z) - vae.latent_law().log_prob(z)).mean()
    assert abs(first - expected) < 0.08
