"""Probabilistic PCA on the digits against known values; where its bounds are tight, and by how much they are not."""

import copy
import pickle

import pyro.distributions as dist
import pytest
import torch

from probgen.data import load_digits
from probgen.distributions.latent import ProbabilisticPCA
from tests.cases.latent import normal_vector, principal_components

OPTIMA = {2: (0.05411698, 0.005707), 8: (0.02732943, 14.209788), 16: (0.01472491, 23.929443)}


@pytest.fixture(scope="module")
def digits():
    splits = load_digits()
    return torch.cat([splits.train.x, splits.validation.x, splits.test.x]).double().flatten(1) / 16


def rotation(size, seed=0):
    noise = torch.randn(size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(noise)[0]


@pytest.mark.parametrize("q", OPTIMA)
def test_maximum_likelihood_on_digits(digits, q):
    p = ProbabilisticPCA.fit(digits, q)
    variance, likelihood = OPTIMA[q]
    assert abs(float(p.noise_variance) - variance) < 5e-9
    assert abs(float(p.log_prob(digits).mean()) - likelihood) < 5e-7
    assert int(p.num_active) == q


@pytest.mark.parametrize("q", OPTIMA)
def test_bound_is_tight_at_the_exact_posterior(digits, q):
    p = ProbabilisticPCA.fit(digits, q)
    exact = p.log_prob(digits)
    assert float((p.elbo(digits) - exact).abs().max()) < 1e-12
    assert float((p.latent_variable().log_weights(digits, 1)[0] - exact).abs().max()) < 1e-12


@pytest.mark.parametrize("q", OPTIMA)
def test_gap_of_independent_latents(digits, q):
    """Zero where the loadings are orthogonal; after a rotation (sum log M_jj - log det M) / 2 for every datum."""
    straight = ProbabilisticPCA.fit(digits, q)
    assert abs(float(straight.gap())) < 1e-12
    assert float((straight.elbo(digits, mean_field=True) - straight.log_prob(digits)).abs().max()) < 1e-12
    turned = ProbabilisticPCA.fit(digits, q, rotation=rotation(q))
    torch.testing.assert_close(turned.log_prob(digits), straight.log_prob(digits), atol=1e-10, rtol=0)
    loss = turned.log_prob(digits) - turned.elbo(digits, mean_field=True)
    torch.testing.assert_close(loss, turned.gap().expand_as(loss), atol=1e-10, rtol=0)
    divergence = torch.distributions.kl_divergence(
        dist.MultivariateNormal(
            turned.mean_field_posterior(digits[:1]).mean, turned.mean_field_posterior(digits[:1]).variance.diag_embed()
        ),
        turned.posterior(digits[:1]),
    )
    torch.testing.assert_close(divergence, turned.gap().expand(1))
    assert float(turned.gap()) > 1e-4


def test_directions_below_the_noise_collapse(digits):
    """With the noise held at the tenth eigenvalue of the covariance, plus a little, nine of sixteen latents stay."""
    eigenvalues = torch.linalg.eigvalsh(torch.cov(digits.mT, correction=0)).flip(0)
    for count in (3, 9):
        p = ProbabilisticPCA.fit(digits, 16, noise_variance=float(eigenvalues[count]) * 1.001)
        assert int(p.num_active) == count == int((eigenvalues[:16] > p.noise_variance).sum())
        dead = p.posterior(digits[:5]).covariance_matrix[:, count:, count:]
        torch.testing.assert_close(dead, torch.eye(16 - count).double().expand_as(dead))  # the prior
        assert abs(float((p.elbo(digits) - p.log_prob(digits)).mean())) < 1e-12


def test_it_is_the_maximum(digits):
    """The likelihood falls in any direction of the parameters."""
    p = ProbabilisticPCA.fit(digits, 4)
    best = p.log_prob(digits).mean()
    torch.manual_seed(0)
    for step in (0.01, 0.1):
        loadings = p.loadings + step * torch.randn_like(p.loadings)
        assert ProbabilisticPCA(p.mean, loadings, p.noise_variance).log_prob(digits).mean() < best
        assert ProbabilisticPCA(p.mean + step, p.loadings, p.noise_variance).log_prob(digits).mean() < best
        for factor in (1 - step, 1 + step):
            assert ProbabilisticPCA(p.mean, p.loadings, factor * p.noise_variance).log_prob(digits).mean() < best


def test_moments_and_posterior_of_the_joint_law():
    p, reference = principal_components(), normal_vector()
    torch.testing.assert_close(p.covariance_matrix, reference.covariance_matrix)
    torch.testing.assert_close(p.variance, reference.variance)
    torch.testing.assert_close(p.mean, reference.mean)
    x = reference.sample((4,))
    z = torch.randn(4, 2)
    joint = dist.Normal(torch.zeros(2), 1.0).to_event(1).log_prob(z) + p.decode(z).log_prob(x)
    torch.testing.assert_close(joint, p.log_prob(x) + p.posterior(x).log_prob(z))


@pytest.mark.parametrize("batch", [(), (0,), (5,), (2, 3)])
def test_any_batch(batch):
    p = principal_components()
    x = p.sample(batch)
    for value in (p.log_prob(x), p.elbo(x, mean_field=True)):
        assert value.shape == batch
    assert p.expand((5,)).sample((2,)).shape == (2, 5, 3)
    assert p.expand((5,)).log_prob(torch.zeros(3)).shape == (5,)
    assert p.expand((5,)).mean.shape == (5, 3)


def test_copies_and_gradients():
    p = principal_components()
    x = p.sample((4,))
    for other in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        torch.testing.assert_close(other.log_prob(x), p.log_prob(x))
    loadings = p.loadings.clone().requires_grad_()
    ProbabilisticPCA(p.mean, loadings, 0.3).log_prob(x).sum().backward()
    assert loadings.grad.abs().sum() > 0
    torch.testing.assert_close(torch.vmap(p.log_prob)(x), p.log_prob(x))


def test_misuse():
    with pytest.raises(ValueError, match="`mean` must be"):
        ProbabilisticPCA(torch.zeros(3), torch.zeros(2, 1), 1.0)
    with pytest.raises(ValueError, match=r"`noise_variance` must be positive; got 0\.0"):
        ProbabilisticPCA(torch.zeros(3), torch.zeros(3, 1), 0.0)
    with pytest.raises(ValueError, match="`noise_variance` must be one number"):
        ProbabilisticPCA(torch.zeros(3), torch.zeros(3, 1), torch.ones(3))
    with pytest.raises(ValueError, match="`x` must be a matrix"):
        ProbabilisticPCA.fit(torch.zeros(3), 1)
    for count in (0, 3):
        with pytest.raises(ValueError, match=f"`num_latents` must lie in 1, ..., 2; got {count}"):
            ProbabilisticPCA.fit(torch.randn(9, 3), count)
    with pytest.raises(ValueError, match="leaves no variance"):
        ProbabilisticPCA.fit(torch.zeros(9, 3), 1)
    with pytest.raises(ValueError, match="event shape"):
        principal_components().posterior(torch.zeros(2))


def test_hardly_any_noise_costs_no_digits():
    """With a noise variance of 1e-6 the quadratic form, about 17, is what is left of two numbers of about 1e7."""
    torch.manual_seed(0)
    loadings = torch.randn(20, 3)
    p = ProbabilisticPCA(torch.zeros(20), loadings, 1e-6)
    x = p.sample((100,))
    exact = ProbabilisticPCA(torch.zeros(20).double(), loadings.double(), 1e-6).log_prob(x.double())
    torch.testing.assert_close(p.log_prob(x).double(), exact, atol=0.01, rtol=0)
