"""Pull-back metrics against known geometries: polar coordinates, the sphere, normal and Bernoulli laws."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.nn import MLP
from probgen.vae.latent_space import metric_tensor, path_energy, path_length
from probgen.vae.latent_space.metrics import squared_steps


def sphere(z):
    """Colatitude and longitude to the unit sphere, as means of unit variance."""
    polar, around = z.unbind(-1)
    mean = torch.stack([polar.sin() * around.cos(), polar.sin() * around.sin(), polar.cos()], -1)
    return dist.Normal(mean, 1.0).to_event(1)


def normal_law(z):
    """Mean and log-scale to a scalar normal law."""
    return dist.Normal(z[..., 0], z[..., 1].exp())


@pytest.mark.parametrize("metric", ["euclidean", "fisher"])
def test_metric_of_the_sphere(metric):
    """d polar^2 + sin^2 polar d around^2; means of unit variance have the same Fisher metric."""
    z = torch.rand(3, 5, 2).double() + 0.3
    found = metric_tensor(sphere, z, metric=metric)
    expected = torch.diag_embed(torch.stack([torch.ones(3, 5).double(), z[..., 0].sin().square()], -1))
    assert torch.allclose(found, expected, atol=1e-10)


def test_fisher_metric_of_normal_and_bernoulli_laws():
    """diag(1 / s^2, 2) for (mean, log s); p (1 - p) for a logit."""
    z = torch.tensor([[0.3, -0.5], [1.0, 0.7]]).double()
    expected = torch.diag_embed(torch.stack([torch.exp(-2 * z[:, 1]), torch.full((2,), 2.0).double()], -1))
    assert torch.allclose(metric_tensor(normal_law, z, metric="fisher"), expected)
    logit = torch.tensor([[0.4], [-2.0]]).double()
    p = logit.sigmoid()
    found = metric_tensor(lambda z: dist.Bernoulli(logits=z).to_event(1), logit, metric="fisher")
    assert torch.allclose(found.squeeze(-1), p * (1 - p))


@pytest.mark.parametrize("metric", ["euclidean", "fisher"])
def test_no_latents_have_no_metric(metric):
    """Reshaping nothing to an unknown size fails."""
    assert metric_tensor(sphere, torch.zeros(0, 2), metric=metric).shape == (0, 2, 2)
    assert path_length(sphere, torch.zeros(4, 0, 2), metric=metric).shape == (0,)


@pytest.mark.parametrize("element", [BernoulliElement(), NormalElement()], ids=["bernoulli", "normal"])
def test_metrics_of_networks_agree_with_small_steps(element):
    torch.manual_seed(0)
    decode = NetworkLaw(MLP(2, 5 * element.num_parameters, hidden=(8,)), element, (5,), (2,)).double()
    z, step = torch.randn(4, 2).double(), 1e-4 * torch.randn(4, 2).double()
    for metric in ("euclidean", "fisher"):
        found = torch.einsum("ni,nij,nj->n", step, metric_tensor(decode, z, metric=metric), step)
        small = squared_steps(decode, torch.stack([z - step / 2, z + step / 2]), metric=metric).squeeze(0)
        assert torch.allclose(found, small.detach(), rtol=1e-4)


def test_length_is_at_most_the_root_of_the_energy_and_scalar_events_work():
    path = torch.randn(9, 7, 2).double()
    length, energy = path_length(normal_law, path), path_energy(normal_law, path)
    assert bool((length <= energy.sqrt()).all())
    even = torch.linspace(0, 1, 9).double()[:, None] * torch.tensor([3.0, 0.0]).double()
    assert path_length(normal_law, even) == pytest.approx(3.0)
    assert path_energy(normal_law, even) == pytest.approx(9.0)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="`metric` must be 'euclidean' or 'fisher'; got 'cosine'"):
        metric_tensor(sphere, torch.zeros(2), metric="cosine")
    with pytest.raises(ValueError, match="at least two points; got 1"):
        path_length(sphere, torch.zeros(1, 2))
    with pytest.raises(ValueError, match="needs a closed-form divergence, and StudentT has none"):
        squared_steps(lambda z: dist.StudentT(3.0, z.squeeze(-1)), torch.zeros(2, 1), metric="fisher")
