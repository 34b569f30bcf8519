"""Implicit distributions in Pyro."""

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine
from pyro.infer import Predictive, Trace_ELBO

from probgen.distributions import DensityUnavailable, ImplicitDistribution, standard_normal


def law():
    network = torch.nn.Sequential(torch.nn.Unflatten(1, (1, 2, 2)), torch.nn.Conv2d(1, 3, 1))
    return ImplicitDistribution(standard_normal(4), network, event_shape=(3, 2, 2))


def model(d, x=None):
    with pyro.plate("outer", 3, dim=-2), pyro.plate("data", 5, dim=-1):
        return pyro.sample("x", d, obs=x)


def test_plates_expand_it():
    assert poutine.trace(model).get_trace(law()).nodes["x"]["value"].shape == (3, 5, 3, 2, 2)
    assert law().expand((2,)).to_event(1).rsample((4,)).shape == (4, 2, 3, 2, 2)


@pytest.mark.parametrize("parallel", [True, False])
def test_predictive(parallel):
    d = law()
    found = Predictive(model, num_samples=2, parallel=parallel)(d)
    assert found["x"].shape == (2, 3, 5, 3, 2, 2)


def test_the_density_raises_everywhere_it_is_asked_for():
    d = law()
    with pytest.raises(DensityUnavailable, match=r"probgen\.infer\.Adversarial"):
        d.log_prob(torch.zeros(3, 2, 2))
    with pytest.raises(DensityUnavailable):
        d.log_prob_estimate(torch.zeros(3, 2, 2))
    with pytest.raises(NotImplementedError):
        Trace_ELBO().loss(model, lambda *args: None, d, torch.zeros(3, 5, 3, 2, 2))


def test_a_masked_site_is_hidden():
    trace = poutine.trace(model).get_trace(law().mask(False))
    assert trace.log_prob_sum() == 0


def test_draws_are_differentiable_if_the_noise_is():
    d = law()
    assert d.rsample().requires_grad
    assert not d.sample().requires_grad
    discrete = ImplicitDistribution(dist.Bernoulli(0.5 * torch.ones(4)).to_event(1), d.generator, (3, 2, 2))
    assert not discrete.has_rsample


def test_dtype_follows_the_generator_and_wrong_shapes_are_named():
    d = law()
    d.generator.double()
    assert d.sample().dtype == torch.float64
    wrong = ImplicitDistribution(standard_normal(4), torch.nn.Linear(4, 3), event_shape=(2,))
    with pytest.raises(ValueError, match=r"must return shape \(1, 2\); it returned \(1, 3\)"):
        wrong.sample()
