"""A bijector with its context bound: shared parameters, broadcasting, errors."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Conditioned, Exp
from probgen.flows import neural_spline_coupling


@pytest.fixture
def flow():
    return neural_spline_coupling(features=2, context_shape=(3,), layers=2, hidden=(8,))


def test_it_is_the_bijector_at_that_context(flow):
    x, context = torch.randn(5, 2), torch.randn(5, 3)
    bound = flow.condition(context)
    assert isinstance(bound, Conditioned)
    assert bound.context_shape is None
    assert torch.equal(bound(x), flow(x, context))
    assert torch.equal(bound.inverse_and_log_det(x)[1], flow.inverse_and_log_det(x, context)[1])


def test_the_batches_broadcast(flow):
    bound = flow.condition(torch.randn(5, 3))
    assert bound(torch.randn(2)).shape == (5, 2)
    assert bound(torch.randn(7, 1, 2)).shape == (7, 5, 2)
    assert bound.forward_shape((7, 1, 2)) == (7, 5, 2)
    assert bound.forward_log_det_jacobian(torch.randn(2)).shape == (5,)


def test_parameters_are_shared_and_the_context_is_not_saved(flow):
    bound = flow.condition(torch.randn(5, 3))
    assert {id(p) for p in bound.parameters()} == {id(p) for p in flow.parameters()}
    assert "context" not in bound.state_dict()
    bound(torch.randn(5, 2)).sum().backward()
    assert all(p.grad is not None for p in flow.parameters())


def test_gradients_reach_the_context(flow):
    context = torch.randn(5, 3, requires_grad=True)
    flow.condition(context)(torch.randn(5, 2)).sum().backward()
    assert context.grad.abs().sum() > 0


def test_errors(flow):
    with pytest.raises(ContextError, match="Exp takes no context, so it cannot be conditioned"):
        Exp().condition(torch.ones(1))
    with pytest.raises(ContextError, match=r"trailing shape \(3,\); got shape \(5, 2\)"):
        flow.condition(torch.ones(5, 2))
    with pytest.raises(ContextError, match=r"batch shape \(5,\) of the context .* does not broadcast .* \(4,\)"):
        flow.condition(torch.ones(5, 3))(torch.ones(4, 2))
    with pytest.raises(ContextError, match="takes no context"):
        flow.condition(torch.ones(5, 3))(torch.ones(5, 2), torch.ones(5, 3))
