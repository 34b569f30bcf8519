"""Flows that other libraries have in one direction only, or silently wrong: here they draw and score, also far out."""

import pytest
import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.flows import (
    block_neural_autoregressive_flow,
    gaussianization_flow,
    neural_autoregressive_flow,
    planar_flow,
    radial_flow,
    sylvester_flow,
    unconstrained_monotonic_flow,
)
from probgen.flows._amortized import Closed, amortized_stack

RECIPES = {
    "deep sigmoidal": lambda d, c: neural_autoregressive_flow(d, context_shape=c, layers=2, hidden=(8,), units=6),
    "dense sigmoidal": lambda d, c: neural_autoregressive_flow(
        d, element="dense-sigmoid", context_shape=c, layers=2, hidden=(8,), units=3, depth=2
    ),
    "positive weights": lambda d, c: neural_autoregressive_flow(
        d, element="monotone-network", context_shape=c, layers=2, hidden=(8,), units=8, signal=4
    ),
    "integral": lambda d, c: unconstrained_monotonic_flow(
        d, integrand=(8,), signal=4, context_shape=c, layers=2, hidden=(8,), cells=4
    ),
    "block": lambda d, c: block_neural_autoregressive_flow(d, context_shape=c, layers=2, units=4),
    "gaussianization": lambda d, c: gaussianization_flow(d, context_shape=c, layers=2, components=4, hidden=(8,)),
    "planar": lambda d, c: planar_flow(d, context_shape=c, layers=4, hidden=(8,)),
    "radial": lambda d, c: radial_flow(d, context_shape=c, layers=4, hidden=(8,)),
    "sylvester": lambda d, c: sylvester_flow(d, context_shape=c, layers=3, hidden=(8,)),
}


def perturbed(name, features, context_shape=None, seed=0, size=0.2):
    """A flow whose parameters have moved as training moves them."""
    torch.manual_seed(seed)
    flow = RECIPES[name](features, context_shape)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(size * torch.randn_like(parameter))
    return flow


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("context_shape", [None, (2,)], ids=str)
@pytest.mark.parametrize("features", [1, 3])
def test_external_data_are_scored_and_drawn_points_come_back(name, features, context_shape):
    """Pyro's planar, radial, Sylvester, block and neural autoregressive transforms cannot score data that they did not draw."""
    flow = perturbed(name, features, context_shape)
    context = None if context_shape is None else torch.randn(20, 2)
    law = TransformedDistribution(standard_normal(features), flow if context is None else flow.condition(context))
    external = 2 * torch.randn(20, features) + 1
    score = law.log_prob(external)
    assert bool(score.isfinite().all())
    z, ildj = flow.inverse_and_log_det(external, context)
    torch.testing.assert_close(score, standard_normal(features).log_prob(z) + ildj)
    torch.testing.assert_close(flow(z, context), external, rtol=1e-4, atol=1e-4)
    assert law.rsample().shape == (20, features) if context is not None else law.rsample((20,)).shape == (20, features)
    assert flow.context_shape == context_shape


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("scale", [1.0, 10.0, 100.0])
def test_nothing_stops_at_a_bracket(name, scale):
    """zuko's NAF, UNAF, SOSPF and GF return plus or minus ten beyond their bracket: (0.1, 20, -30) becomes (0.1, 10, -10)."""
    flow = perturbed(name, 3)
    x = torch.cat([scale * torch.randn(40, 3), torch.tensor([[0.1, 20.0, -30.0]])])
    # Quantiles of logistic tails square what is far out, and a rotation mixes a large coordinate's rounding into a small one.
    largest = 1.0 if name != "gaussianization" else x.abs().amax(-1, keepdim=True)
    for there, back in ((flow.inverse, flow), (flow, flow.inverse)):
        error = (back(there(x)) - x).abs()
        assert bool((error <= 2e-5 * (1 + x.abs()) * largest).all()), error.max()


@pytest.mark.parametrize("name", RECIPES)
def test_the_log_determinant_is_autograd_s(name):
    """torchflows' sigmoidal layers are off by 85 nats and more, its unconstrained monotone layers leave their bracket."""
    flow = perturbed(name, 3, size=0.4).double()
    for x in 3 * torch.randn(3, 3, dtype=torch.float64):
        jacobian = torch.autograd.functional.jacobian(flow.inverse, x)
        torch.testing.assert_close(torch.linalg.slogdet(jacobian)[1], flow.inverse_log_det_jacobian(x), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", ["sylvester", "planar", "radial"])
def test_log_determinants_stay_right_after_training(name):
    """Fifty steps of Adam on a ring; orthonormal columns and invertibility are kept by construction, not by a start."""
    torch.manual_seed(0)
    flow = RECIPES[name](2, None)
    angle = 6.2832 * torch.rand(256)
    data = 2 * torch.stack([angle.cos(), angle.sin()], -1) + 0.1 * torch.randn(256, 2)
    optimizer = torch.optim.Adam(flow.parameters(), 2e-2)
    losses = []
    for _ in range(50):
        loss = -TransformedDistribution(standard_normal(2), flow).log_prob(data).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.05
    trained = flow.double()
    for x in data[:5].double():
        jacobian = torch.autograd.functional.jacobian(trained.inverse, x)
        torch.testing.assert_close(torch.linalg.slogdet(jacobian)[1], trained.inverse_log_det_jacobian(x), rtol=1e-9, atol=1e-9)
    z = torch.randn(50, 2)
    torch.testing.assert_close(flow.float().inverse(flow(z)), z, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("recipe", [planar_flow, sylvester_flow, block_neural_autoregressive_flow], ids=lambda r: r.__name__)
def test_the_closed_direction_can_be_chosen(recipe):
    assert recipe(2).fast_direction == "inverse"
    assert recipe(2, closed="forward").fast_direction == "forward"
    with pytest.raises(ValueError, match="`closed` a direction; got 2 and 'both'"):
        recipe(2, layers=2, closed="both")


def test_a_started_gaussianization_flow_is_close_before_any_training():
    torch.manual_seed(0)
    data = torch.cat([torch.randn(500, 2) * 0.3 + 2, torch.randn(500, 2) * 0.3 - 2])
    flow = gaussianization_flow(2, layers=6)

    def score():
        return float(TransformedDistribution(standard_normal(2), flow).log_prob(data).mean().detach())

    before = score()
    flow.initialize_from(data)
    normal = torch.distributions.MultivariateNormal(data.mean(0), data.mT.cov())
    assert score() > before + 1
    assert score() > float(normal.log_prob(data).mean()) + 0.2


def test_stacks_need_a_layer():
    assert set(Closed.__args__) == {"inverse", "forward"}
    with pytest.raises(ValueError, match="`layers` must be positive"):
        amortized_stack(lambda network: None, 1, 0, None, (8,), "inverse")
    with pytest.raises(ValueError, match="`layers` must be at least 1; got 0"):
        gaussianization_flow(2, layers=0)
    with pytest.raises(ValueError, match='`element` must be "deep-sigmoid"'):
        neural_autoregressive_flow(2, element="sigmoid")
