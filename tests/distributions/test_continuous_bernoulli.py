"""The continuous Bernoulli law: normalized and right for every logit, also where torch's is not."""

import copy
import math

import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from probgen.distributions import ContinuousBernoulli

LOGITS = [-1e4, -100.0, -40.0, -3.0, -0.21, -0.19, -1e-4, -1e-30, 0.0, 1e-8, 0.1, 0.2, 1.0, 17.0, 90.0, 1e4]


def law(dtype=torch.float64):
    return ContinuousBernoulli(torch.tensor(LOGITS, dtype=dtype))


def exact_log_normalizer(theta):
    size = abs(theta)
    return 0.0 if size == 0 else max(theta, 0.0) + math.log(-math.expm1(-size) / size)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_the_density_is_normalized_for_every_logit(dtype, tolerance):
    expected = torch.tensor([-exact_log_normalizer(theta) for theta in LOGITS], dtype=torch.float64)
    at_the_bright_end = torch.tensor([theta - exact_log_normalizer(theta) for theta in LOGITS], dtype=torch.float64)
    scale = 1 + torch.tensor(LOGITS).double().abs()
    for value, wanted in ((0.0, expected), (1.0, at_the_bright_end)):
        found = law(dtype).log_prob(torch.full((len(LOGITS),), value, dtype=dtype)).double()
        assert bool(((found - wanted).abs() / scale < tolerance).all())


def test_torchs_density_has_lost_mass_where_this_has_not():
    """Mass of both at logit 40 in float32, by the midpoint rule."""
    x = (torch.arange(20000) + 0.5) / 20000
    logit = torch.tensor(40.0)
    assert float(dist.ContinuousBernoulli(logits=logit).log_prob(x).exp().mean()) < 0.45
    assert float(ContinuousBernoulli(logit).log_prob(x).exp().mean()) == pytest.approx(1.0, abs=1e-5)


def test_moments_and_entropy_are_derivatives_of_the_normalizer():
    theta = torch.tensor(LOGITS, dtype=torch.float64, requires_grad=True)
    normalizer = -ContinuousBernoulli(theta).log_prob(torch.zeros(len(LOGITS)).double())
    (slope,) = torch.autograd.grad(normalizer.sum(), theta, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), theta)
    found = law()
    assert torch.allclose(found.mean, slope.detach(), rtol=1e-12, atol=1e-15)
    assert torch.allclose(found.variance, curvature, rtol=1e-9, atol=1e-13)
    assert torch.allclose(found.entropy(), (normalizer - theta * slope).detach(), rtol=1e-9, atol=1e-11)
    assert float(found.variance.max()) <= 1 / 12


def test_quantiles_invert_the_distribution_function():
    p = torch.linspace(0.0, 1.0, 11, dtype=torch.float64)[:, None]
    found = law()
    x = found.icdf(p)
    assert bool(((x >= 0) & (x <= 1)).all())
    inner = torch.tensor(LOGITS).abs() <= 100
    assert torch.allclose(found.cdf(x)[:, inner], p.expand(-1, int(inner.sum())), atol=1e-12)
    assert torch.equal(found.cdf(torch.tensor([[-1.0], [2.0]])).long(), torch.tensor([0, 1])[:, None].expand(2, len(LOGITS)))


def test_divergence_is_that_of_the_definition():
    x = ((torch.arange(200_000) + 0.5) / 200_000).double()
    p, q = (ContinuousBernoulli(torch.tensor(theta).double()) for theta in (3.0, -0.05))
    expected = (p.log_prob(x).exp() * (p.log_prob(x) - q.log_prob(x))).mean()
    assert float(kl_divergence(p, q)) == pytest.approx(float(expected), abs=1e-9)
    assert float(kl_divergence(p, p)) == 0


def test_gradients_are_finite_everywhere():
    theta = torch.tensor(LOGITS, requires_grad=True)
    value = torch.linspace(0, 1, 7)[:, None]
    (grad,) = torch.autograd.grad(ContinuousBernoulli(theta).log_prob(value).sum(), theta)
    assert torch.allclose(grad, (value - law(torch.float32).mean).sum(0), atol=2e-5)


def test_values_outside_are_errors_or_impossible():
    with pytest.raises(ValueError, match="support"):
        ContinuousBernoulli(torch.zeros(2)).log_prob(torch.tensor([0.5, 1.5]))
    loose = ContinuousBernoulli(torch.zeros(2), validate_args=False)
    assert torch.equal(loose.log_prob(torch.tensor([0.5, 1.5])), torch.tensor([0.0, -torch.inf]))


def test_shapes_copies_and_the_brighter_end():
    found = ContinuousBernoulli(torch.tensor([-2.0, 0.0, 3.0]))
    assert torch.equal(found.mode, torch.tensor([0.0, 0.5, 1.0]))
    assert found.expand((4, 3)).sample((2,)).shape == (2, 4, 3)
    assert ContinuousBernoulli(torch.zeros(0, 3)).sample((2,)).shape == (2, 0, 3)
    assert torch.equal(copy.deepcopy(found).mean, found.mean)


@pytest.mark.parametrize("method", ["cdf", "icdf"])
def test_derivatives_in_a_logit_of_zero_are_those_nearby(method):
    x = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0], dtype=torch.float64)
    slopes = []
    for start in (0.0, 1e-6):
        logits = torch.full((5,), start, dtype=torch.float64, requires_grad=True)
        slopes += torch.autograd.grad(getattr(ContinuousBernoulli(logits), method)(x).sum(), logits)
    torch.testing.assert_close(slopes[0], slopes[1], atol=1e-5, rtol=0)
    assert slopes[0][2].abs() > 0.1
