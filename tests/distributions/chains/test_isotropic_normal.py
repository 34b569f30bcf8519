"""Noise of any scale: full precision in both dtypes, analytic divergences."""

import pyro.distributions as dist
import pytest
import torch
from torch.distributions import kl_divergence

from probgen.distributions.chains import IsotropicNormal


def test_scale_keeps_its_digits():
    """A float32 tensor as scale would shift the log-density of 1000 coordinates by 1e-5 nats."""
    scale, x = 0.1 + 1e-9, torch.full((1000,), 0.3, dtype=torch.float64)
    expected = dist.Normal(torch.zeros(()).double(), torch.tensor(scale, dtype=torch.float64)).log_prob(x).sum()
    assert IsotropicNormal((1000,), scale).log_prob(x).item() == pytest.approx(expected.item(), abs=1e-9)


def test_follows_its_user():
    law = IsotropicNormal((2,), 3.0)
    assert law.like(torch.zeros(1).double()).expand((4,)).sample().dtype == torch.float64
    assert law.sample((0,)).shape == (0, 2)


def test_moments_and_quantiles():
    law = IsotropicNormal((), 3.0)
    assert (law.mean.item(), law.mode.item(), law.variance.item()) == (0.0, 0.0, 9.0)
    assert law.entropy().item() == pytest.approx(dist.Normal(0.0, 3.0).entropy().item(), rel=1e-6)
    assert law.icdf(law.cdf(torch.tensor(1.5))).item() == pytest.approx(1.5, rel=1e-5)
    assert IsotropicNormal((4,), 3.0).entropy().item() == pytest.approx(4 * law.entropy().item(), rel=1e-6)


def test_divergence_from_a_normal_law():
    mean, std = torch.randn(5, 3).double(), torch.rand(5, 3).double() + 0.1
    exact = kl_divergence(dist.Normal(mean, std), dist.Normal(torch.zeros(3).double(), 2.5)).sum(-1)
    assert torch.allclose(kl_divergence(dist.Normal(mean, std).to_event(1), IsotropicNormal((3,), 2.5)), exact)
    assert torch.allclose(kl_divergence(dist.Normal(mean, std), IsotropicNormal((), 2.5)).sum(-1), exact)
    assert torch.allclose(kl_divergence(dist.Normal(mean, std).to_event(2), IsotropicNormal((5, 3), 2.5)), exact.sum())


def test_divergence_between_other_shapes():
    with pytest.raises(ValueError, match="the event shapes"):
        kl_divergence(dist.Normal(torch.zeros(3), 1.0).to_event(1), IsotropicNormal((2,), 1.0))
    with pytest.raises(NotImplementedError, match="the event shapes"):
        kl_divergence(dist.Normal(torch.zeros(3), 1.0), IsotropicNormal((3,), 1.0))


@pytest.mark.parametrize("scale", [0.0, -1.0, float("inf"), float("nan")])
def test_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="`scale` must be positive and finite"):
        IsotropicNormal((2,), scale)
