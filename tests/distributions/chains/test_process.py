"""The Gaussian forward process: its three laws, shapes of data and times, the prior of every scaling."""

import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from probgen.distributions import StandardNormal
from probgen.distributions.chains import (
    ForwardProcess,
    GaussianProcess,
    IsotropicNormal,
    cosine_schedule,
    edm_schedule,
    flow_matching_schedule,
    linear_schedule,
    sub_variance_preserving_schedule,
)

SHAPES = [(), (3,), (2, 4, 4)]


@pytest.mark.parametrize("event", SHAPES)
@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
def test_shapes_of_the_laws(event, batch):
    process, x = GaussianProcess(cosine_schedule(), event), torch.randn((*batch, *event))
    t = torch.rand(batch) * 0.9 + 0.1
    for law in (process.marginal(x, t), process.transition(x, t / 2, t), process.posterior(x, x, t / 2, t)):
        assert law.batch_shape == batch
        assert law.event_shape == event
        assert law.mean.dtype == torch.float32


def test_marginal_transition_and_posterior():
    process = GaussianProcess(linear_schedule(10, 0.05, 0.5), (2,))
    x, schedule = torch.tensor([[1.0, -2.0]], dtype=torch.float64), linear_schedule(10, 0.05, 0.5)
    marginal = process.marginal(x, 0.7)
    assert torch.allclose(marginal.mean, schedule.alpha(0.7) * x)
    assert torch.allclose(marginal.stddev, schedule.sigma(0.7).expand(1, 2))
    step = process.transition(x, 0.6, 0.7)
    beta = torch.linspace(0.05, 0.5, 10, dtype=torch.float64)[6]
    assert torch.allclose(step.mean, (1 - beta).sqrt() * x)
    assert torch.allclose(step.variance, beta.expand(1, 2))


def test_bayes_at_a_point():
    """q(x_s | x_t, x_0) q(x_t | x_0) = q(x_t | x_s) q(x_s | x_0), as log-densities."""
    process = GaussianProcess(cosine_schedule(), (3,))
    x_0, x_s, x_t = torch.randn(3, 6, 3, dtype=torch.float64)
    left = process.posterior(x_t, x_0, 0.4, 0.6).log_prob(x_s) + process.marginal(x_0, 0.6).log_prob(x_t)
    right = process.transition(x_s, 0.4, 0.6).log_prob(x_t) + process.marginal(x_0, 0.4).log_prob(x_s)
    assert torch.allclose(left, right, atol=1e-12)


@pytest.mark.parametrize("schedule", [linear_schedule(), cosine_schedule(), flow_matching_schedule()])
def test_prior_of_unit_variance(schedule):
    assert isinstance(GaussianProcess(schedule, (2,)).prior(), StandardNormal)


def test_prior_follows_the_noise():
    prior = GaussianProcess(edm_schedule(80.0), (2,)).prior()
    assert isinstance(prior, IsotropicNormal)
    assert prior.scale == pytest.approx((80.0**2 + 1) ** 0.5, rel=1e-12)
    early = GaussianProcess(edm_schedule(80.0), (2,)).prior(0.5)
    assert early.scale == pytest.approx((0.625**2 + 1) ** 0.5, rel=1e-12)
    sub = sub_variance_preserving_schedule()
    alpha = sub.alpha(1.0).item()
    assert GaussianProcess(sub, ()).prior().scale == pytest.approx((alpha**2 + (1 - alpha**2) ** 2) ** 0.5, rel=1e-12)


def test_prior_is_the_marginal_of_unit_normal_data():
    schedule = edm_schedule(2.0, 2.0)
    prior = GaussianProcess(schedule, (1,)).prior(0.8)
    marginal = dist.Normal(torch.zeros(1).double(), (schedule.alpha(0.8) ** 2 + schedule.sigma(0.8) ** 2).sqrt()).to_event(1)
    assert kl_divergence(marginal, prior).item() == pytest.approx(0.0, abs=1e-14)


def test_subclass_must_say_what_it_is():
    process, x = ForwardProcess((2,)), torch.zeros(2)
    for call in (
        lambda: process.marginal(x, 0.5),
        lambda: process.transition(x, 0.2, 0.5),
        lambda: process.posterior(x, x, 0.2, 0.5),
        lambda: process.prior(),
    ):
        with pytest.raises(NotImplementedError, match="ForwardProcess does not define"):
            call()
