"""Exact denoisers against independent answers: autograd of the marginal (Tweedie, both orders), quadrature, Bayes."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.chains import (
    GaussianDenoiser,
    MixtureDenoiser,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
)

SCHEDULES = {"linear": linear_schedule, "cosine": cosine_schedule, "EDM": edm_schedule, "flow matching": flow_matching_schedule}
TIMES = (0.2, 0.5, 0.95)


def gaussian(schedule):
    return GaussianDenoiser(schedule, torch.tensor([1.0, -0.5]).double(), torch.tensor([0.0625, 4.0]).double())


def mixture(schedule):
    """Three correlated components in the plane."""
    means = torch.tensor([[-1.0, 0.3], [0.5, 1.0], [1.5, -1.0]]).double()
    roots = torch.tensor([[[0.4, 0.0], [0.3, 0.5]], [[0.2, 0.0], [-0.1, 0.3]], [[0.6, 0.0], [0.0, 0.1]]]).double()
    return MixtureDenoiser(schedule, torch.tensor([0.2, -0.5, 0.1]).double(), means, roots @ roots.mT)


every_bed = pytest.mark.parametrize("make", [gaussian, mixture])
every_schedule = pytest.mark.parametrize("name", sorted(SCHEDULES))
every_time = pytest.mark.parametrize("t", TIMES)


def states(oracle, t):
    torch.manual_seed(3)
    return oracle.marginal(t).sample((7,))


@every_bed
@every_schedule
@every_time
def test_tweedie_first_order(make, name, t):
    """E[x_0 | x_t] = (x_t + sigma^2 grad log q_t) / alpha, the score from autograd."""
    oracle = make(SCHEDULES[name]())
    x = states(oracle, t).requires_grad_()
    score = torch.autograd.grad(oracle.marginal(t).log_prob(x).sum(), x)[0]
    level, denoised = oracle.schedule.level(t), oracle(x.detach(), t)
    assert torch.allclose(denoised.score, score, rtol=1e-9, atol=1e-9 + 1e-14 / level.sigma.item() ** 2)  # rounding of the mean
    assert torch.allclose(denoised.mean, (x.detach() + level.sigma**2 * score) / level.alpha, rtol=1e-9, atol=1e-9)


@every_bed
@every_schedule
@every_time
def test_tweedie_second_order(make, name, t):
    """Cov[x_0 | x_t] = (sigma^2 / alpha^2) (I + sigma^2 Hess log q_t) = (sigma^2 / alpha) d E[x_0 | x_t] / d x_t."""
    oracle = make(SCHEDULES[name]())
    level, points = oracle.schedule.level(t), states(oracle, t)
    for x in points[:3]:
        law = oracle(x, t).law
        covariance = covariance_of(law)
        hessian = torch.autograd.functional.hessian(lambda y: oracle.marginal(t).log_prob(y), x)
        jacobian = torch.autograd.functional.jacobian(lambda y: oracle(y, t).mean, x)
        second = (level.sigma / level.alpha) ** 2 * (torch.eye(2).double() + level.sigma**2 * hessian)
        assert torch.allclose(covariance, second, rtol=1e-7, atol=1e-8)
        assert torch.allclose(covariance, level.sigma**2 / level.alpha * jacobian, rtol=1e-7, atol=1e-8)
        assert torch.allclose(covariance.diagonal(), law.variance, rtol=1e-9)


def covariance_of(law):
    """Of a factorized normal law or a mixture of normal laws."""
    if isinstance(law, dist.MixtureSameFamily):
        weights, parts = law.mixture_distribution.probs, law.component_distribution
        outer = parts.mean.unsqueeze(-1) * parts.mean.unsqueeze(-2)
        mean = (weights.unsqueeze(-1) * parts.mean).sum(-2)
        second = (weights[..., None, None] * (parts.covariance_matrix + outer)).sum(-3)
        return second - mean.unsqueeze(-1) * mean.unsqueeze(-2)
    return torch.diag(law.variance)


@every_bed
@every_time
def test_bayes_at_a_point(make, t):
    """p(x_0 | x_t) q_t(x_t) = q(x_t | x_0) p(x_0)."""
    oracle = make(cosine_schedule())
    x_0, x_t = oracle.data.sample((6,)), states(oracle, t)[:6]
    left = oracle(x_t, t).log_prob(x_0) + oracle.marginal(t).log_prob(x_t)
    right = oracle.process.marginal(x_0, t).log_prob(x_t) + oracle.data.log_prob(x_0)
    assert torch.allclose(left, right, rtol=1e-8, atol=1e-8)


@every_bed
def test_without_signal_the_posterior_is_the_prior(make):
    oracle = make(flow_matching_schedule())
    denoised, x_0 = oracle(torch.randn(4, 2).double(), 1.0), oracle.data.sample((4,))
    assert torch.allclose(denoised.log_prob(x_0), oracle.data.log_prob(x_0), atol=1e-12)


@every_bed
def test_a_time_for_each_datum(make):
    oracle, t = make(cosine_schedule()), torch.tensor([0.1, 0.5, 0.9])
    x = torch.randn(3, 2).double()
    together = oracle(x, t).mean
    assert torch.allclose(together, torch.stack([oracle(x[i], t[i].item()).mean for i in range(3)]), atol=1e-7)
    assert oracle.marginal(t).batch_shape == (3,)
    assert oracle(torch.randn(4, 3, 2).double(), t).batch_shape == (4, 3)


def test_one_component_is_a_gaussian():
    oracle = gaussian(cosine_schedule())
    covariance = torch.diag(oracle.data_variance).unsqueeze(0)
    single = MixtureDenoiser(cosine_schedule(), torch.zeros(1).double(), oracle.data_mean.unsqueeze(0), covariance)
    x = torch.randn(5, 2).double()
    assert torch.allclose(single(x, 0.4).mean, oracle(x, 0.4).mean, atol=1e-12)
    assert torch.allclose(single(x, 0.4).variance, oracle(x, 0.4).variance, atol=1e-12)


def test_images_can_be_gaussian():
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(1, 4, 4), torch.tensor(0.25))
    assert oracle(torch.randn(2, 1, 4, 4), 0.5).event_shape == (1, 4, 4)
    assert oracle.double()(torch.randn(2, 1, 4, 4).double(), 0.5).mean.dtype == torch.float64


@pytest.mark.parametrize(
    "shapes", [((2,), (2, 3), (2, 3)), ((3,), (2, 3), (2, 3, 3)), ((2,), (6,), (2, 3, 3)), ((2,), (2, 3), (2, 2, 2))]
)
def test_shapes_of_a_mixture(shapes):
    with pytest.raises(ValueError, match=r"must have shapes \[K\], \[K, D\] and \[K, D, D\]"):
        MixtureDenoiser(cosine_schedule(), *(torch.ones(shape) for shape in shapes))


@every_bed
@every_schedule
def test_the_data_themselves_are_their_mean(make, name):
    oracle = make(SCHEDULES[name]())
    x = torch.randn(5, 2).double()
    if float(oracle.schedule.sigma(0.0)) == 0:
        torch.testing.assert_close(oracle.mean(x, 0.0), x / oracle.schedule.alpha(0.0))


@every_bed
def test_empty_batches(make):
    oracle = make(cosine_schedule())
    for batch in ((0,), (3, 0)):
        x = torch.zeros(*batch, 2).double()
        assert oracle.mean(x, 0.5).shape == oracle(x, 0.5).sample().shape == x.shape
