"""Continuous flows where peers hang, lose gradients or report another number than they were asked for."""

import math

import pytest
import torch

from probgen.distributions import DensityUnavailable, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import ContinuousFlow
from probgen.distributions.numerics.ode_adaptive import IntegrationError
from probgen.flows import continuous_flow


def small(**options):
    torch.manual_seed(0)
    return continuous_flow(3, hidden=(6, 6), **options)


def test_a_continuous_flow_learns_in_eval_mode():
    """zuko 1.6 passes its parameters to the solver in training mode only: after `.eval()` a density has no gradient."""
    flow = small().eval()
    TransformedDistribution(standard_normal(3), flow).log_prob(torch.ones(4, 3)).sum().backward()
    assert all(parameter.grad is not None for parameter in flow.parameters())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_row_that_is_not_finite_neither_hangs_nor_spoils_the_others(bad):
    """zuko's adaptive solver shrinks its step for ever: one NaN in a batch, and `log_prob` does not return."""
    flow, x = small(), torch.ones(3, 3)
    with torch.no_grad():
        expected = flow.inverse_and_log_det(x)[1]
        x[1, 0] = bad
        z, ildj = TransformedDistribution(standard_normal(3), flow, validate_args=False).bijector._inverse_and_log_det(x)
    assert not bool(z[1].isfinite().all())
    assert torch.allclose(ildj[[0, 2]], expected[[0, 2]], atol=1e-3)


def test_a_field_that_cannot_be_integrated_is_an_error():
    """zuko has no limit of steps: a stiff field is a program that does not end."""
    flow = ContinuousFlow(lambda t, x: 1e3 * torch.sin(1e3 * x), (1,), max_steps=40)
    with pytest.raises(IntegrationError, match="40 steps"):
        flow(torch.ones(1, 1))


def test_the_tolerance_of_a_log_determinant_is_what_was_asked_for():
    """zuko multiplies the trace by 0.01 inside the solver: `atol` of 1e-6 is 1e-4 for the log-determinant, unsaid."""
    rate = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)
    flow = ContinuousFlow(lambda t, x: rate * torch.sin(3 * x + 5 * t), (3,), rtol=1e-8, atol=1e-8)
    fine = ContinuousFlow(flow.vector_field, (3,), solver="verner8", steps=60)
    x = torch.linspace(-2, 2, 30, dtype=torch.float64).reshape(10, 3)
    assert (flow.forward_log_det_jacobian(x) - fine.forward_log_det_jacobian(x)).abs().max() < 1e-6
    assert flow.solver.integral_atol is None  # a looser one is asked for by name, `log_det_atol`


def test_an_estimated_log_determinant_is_never_passed_off_as_a_density():
    """torchflows' FFJORD returns Hutchinson's estimate as its log-determinant (noise 0.2 nats), and says nothing."""
    law = TransformedDistribution(standard_normal(3), small(divergence="hutchinson"))
    with pytest.raises(DensityUnavailable):
        law.log_prob(torch.ones(4, 3))
    assert bool((law.log_prob_estimate(torch.ones(4, 3), 8).stderr > 0).all())


def test_second_derivatives_of_a_continuous_flow():
    """zuko's solver is differentiable once: a gradient penalty on the density raises."""
    x = torch.ones(2, 3, requires_grad=True)
    score = torch.autograd.grad(TransformedDistribution(standard_normal(3), small()).log_prob(x).sum(), x, create_graph=True)[0]
    (twice,) = torch.autograd.grad(score.square().sum(), x)
    assert bool(twice.isfinite().all())
    assert bool((twice != 0).any())
