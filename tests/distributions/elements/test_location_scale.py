"""Scales that level off: exact where they are of use, finite everywhere, smooth, and gradients that bring a network back."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.elements import LocationScaleElement, NormalElement
from probgen.distributions.elements.location_scale import leveled_log_scale


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_identity_up_to_thirteen_and_stays_below_fifteen(dtype):
    inner = torch.linspace(-13, 13, 521, dtype=dtype)
    assert torch.equal(leveled_log_scale(inner), inner)
    outer = torch.tensor([13.1, 20.0, 1e3, 1e9, 3e38], dtype=dtype)
    found = leveled_log_scale(outer)
    assert bool((found.diff() >= 0).all())
    assert float(found[0]) == pytest.approx(13.1, abs=1e-3)
    assert float(found[-1]) <= 15.0
    assert torch.equal(leveled_log_scale(-outer), -found)


def test_it_has_two_continuous_derivatives_and_the_first_lives_far_out():
    s = torch.tensor([13.0 - 1e-7, 13.0 + 1e-7, -13.0 - 1e-7, 1e3, -1e5], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(leveled_log_scale(s).sum(), s, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), s)
    assert torch.allclose(first[:3].detach(), torch.ones(3).double(), atol=1e-12)
    assert torch.allclose(second[:3], torch.zeros(3).double(), atol=1e-6)
    assert bool((first.detach() > 0).all())
    points = torch.tensor([-30.0, -9.0, 0.0, 14.0, 500.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(leveled_log_scale, (points,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("said", [-6e4, -200.0, 200.0, 6e4])
def test_whatever_a_network_says_can_be_scored(dtype, said):
    """The plain exponential gives a scale of 0 or infinity, and log-densities that are NaN or infinite."""
    parameters = torch.tensor([1e3, said], dtype=dtype)
    law = NormalElement()(parameters)
    x = torch.tensor(-1e3).requires_grad_()
    log_prob = law.log_prob(x)
    assert bool(log_prob.isfinite())
    assert bool(torch.autograd.grad(log_prob, x)[0].isfinite())
    naive = dist.Normal(parameters[0].float(), parameters[1].float().exp(), validate_args=False)
    assert not naive.log_prob(x.detach()).isfinite()


@pytest.mark.parametrize("x", [1.0, 255.0, 1e5])
@pytest.mark.parametrize("said", [-1e4, -60.0, 60.0, 1e4])
def test_gradients_of_a_far_scale_point_back(said, x):
    """A law far too narrow is widened, one far too wide is narrowed; also by data far from its mean, such as bytes."""
    parameters = torch.tensor([0.0, said], requires_grad=True)
    (grad,) = torch.autograd.grad(NormalElement()(parameters).log_prob(torch.tensor(x)), parameters)
    assert bool(grad.isfinite().all())
    assert float(grad[1]) * said < 0


def test_ways_to_a_scale():
    shared = NormalElement("shared")
    assert (shared.num_parameters, NormalElement().num_parameters, NormalElement(2.0).num_parameters) == (1, 2, 1)
    assert isinstance(shared, LocationScaleElement)
    with torch.no_grad():
        shared.log_scale.fill_(1.5)
    law = shared(torch.zeros(3, 4, 1))
    assert torch.allclose(law.scale, torch.tensor(1.5).exp().expand(3, 4))
    law.log_prob(torch.ones(3, 4)).sum().backward()
    assert float(shared.log_scale.grad) != 0
    assert shared.double()(torch.zeros(2, 1).double()).scale.dtype == torch.float64
    assert NormalElement(2.0)(torch.zeros(3, 1)).scale.tolist() == [2.0] * 3


@pytest.mark.parametrize("scale", ["learned", 0, -1.0, float("inf"), float("nan")])
def test_wrong_scales_are_refused(scale):
    with pytest.raises(ValueError, match="`scale` must be"):
        NormalElement(scale)
