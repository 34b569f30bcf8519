"""FFJORD's recipes: contexts, shapes, that a density integrates to one, that the log-determinant needs no derivative."""

import math

import pytest
import torch

from probgen.distributions import DensityUnavailable, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import ContinuousFlow
from probgen.flows import continuous_flow, continuous_image_flow


def rough(flow, scale=1.5, seed=0):
    """Weights as after training, not as at the start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in flow.parameters():
            fan_in = parameter.shape[-1] if parameter.dim() > 1 else 4
            parameter.copy_(scale * torch.randn(parameter.shape, generator=generator) / math.sqrt(fan_in))
    return flow


def test_a_density_integrates_to_one():
    flow = rough(continuous_flow(2, hidden=(8, 8)), scale=1.0)
    law = TransformedDistribution(standard_normal(2), flow)
    line = torch.linspace(-7.0, 7.0, 57)
    points = torch.cartesian_prod(line, line)
    with torch.no_grad():
        mass = law.log_prob(points).exp().sum() * float(line[1] - line[0]) ** 2
        moved = (flow(torch.randn(50, 2, generator=torch.Generator().manual_seed(1))) ** 2).mean()
    assert abs(float(mass) - 1) < 1e-3
    assert moved > 1e-2


@pytest.mark.parametrize("context_shape", [None, (3,), (2, 2)])
def test_flow_and_inverse_with_and_without_context(context_shape):
    flow = rough(continuous_flow(4, hidden=(8, 8), context_shape=context_shape, rtol=1e-6, atol=1e-6).double())
    x = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    context = None if context_shape is None else torch.ones(5, *context_shape, dtype=torch.float64)
    y, log_det = flow.forward_and_log_det(x, context)
    back, ildj = flow.inverse_and_log_det(y, context)
    assert torch.allclose(back, x, atol=1e-4)
    assert torch.allclose(ildj, -log_det, atol=1e-3)
    if context is not None:
        assert (flow(x, 2 * context) - y).abs().max() > 1e-3


def test_the_closed_form_costs_no_derivative():
    """Under inference mode nothing can be differentiated; and the field is evaluated once a stage."""
    flow = continuous_flow(50, hidden=(16, 16), solver="rk4", steps=3)
    with torch.inference_mode():
        assert flow.integrate(torch.zeros(2, 50)).evaluations == 12
    assert isinstance(flow, ContinuousFlow)
    assert flow.static_graph


def test_a_looser_log_determinant_takes_fewer_steps_and_keeps_its_tolerance():
    strict, loose = (rough(continuous_flow(6, rtol=1e-6, atol=1e-6, log_det_atol=tol).double()) for tol in (None, 1e-3))
    x = torch.randn(64, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        many, few = strict.integrate(x), loose.integrate(x)
    assert few.evaluations < many.evaluations
    assert (few.log_dets - many.log_dets).abs().max() < 1e-2
    assert (few.value - many.value).abs().max() < 1e-4


def test_an_image_flow_takes_flat_latents():
    flow = rough(continuous_image_flow((2, 2, 3), hidden=(8,), context_shape=(3,), steps=2, solver="rk4"), scale=0.5)
    z = torch.randn(5, 12, generator=torch.Generator().manual_seed(0))
    context = torch.ones(5, 3)
    x = flow(z, context)
    assert x.shape == (5, 2, 2, 3)
    assert torch.allclose(flow.inverse(x, context), z, atol=1e-2)
    law = TransformedDistribution(standard_normal(12), flow.condition(context))
    with pytest.raises(DensityUnavailable):
        law.log_prob(x)
    exact = continuous_image_flow((2, 2, 3), hidden=(8,), context_shape=(3,), steps=2, solver="rk4", divergence="exact")
    exact.load_state_dict(flow.state_dict())
    expected = TransformedDistribution(standard_normal(12), exact.condition(context)).log_prob(x)
    torch.manual_seed(0)
    estimate = law.log_prob_estimate(x, 50)
    assert ((estimate.value - expected) / estimate.stderr).abs().max() < 8


def test_errors_name_what_came():
    with pytest.raises(ValueError, match=r"`shape` must be \(channels, height, width\); got \(4, 4\)"):
        continuous_image_flow((4, 4))
    with pytest.raises(ValueError, match="has no error estimate"):
        continuous_flow(2, solver="rk4")
    with pytest.raises(ValueError, match="`integral_atol` must be positive; got -1"):
        continuous_flow(2, log_det_atol=-1.0)
