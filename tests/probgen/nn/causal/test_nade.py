"""NADE: the recursion of its sums, dependence, gradients through steps, what is refused. Steps: the laws of networks."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.nn import NADE


def test_the_parallel_pass_is_the_formula():
    network = NADE(4, 2, hidden=3, context_features=2, order=(3, 1, 0, 2)).double()
    x, c = torch.randn(4).double(), torch.randn(2).double()
    sums = network.inner_bias + network.context_layer(c)
    for index in (3, 1, 0, 2):
        expected = network.outer[index] @ torch.sigmoid(sums) + network.outer_bias[index]
        torch.testing.assert_close(network(x, c)[index], expected)
        sums = sums + x[index] * network.inner[index, 0]


@pytest.mark.parametrize("inputs", [1, 2])
def test_every_output_sees_exactly_what_is_before_it(inputs):
    network = NADE(4, 3, num_inputs=inputs, hidden=5, order=(2, 0, 3, 1)).double()
    jacobian = torch.autograd.functional.jacobian(network, torch.randn(4 * inputs).double()) != 0
    rank = torch.tensor([1, 3, 0, 2])
    expected = (rank[:, None] > rank).repeat_interleave(inputs, 1)
    assert torch.equal(jacobian, expected[:, None].expand(4, 3, 4 * inputs))


def test_gradients_flow_through_the_steps():
    network, values = NADE(4, 1, hidden=6).double(), torch.randn(3, 4).double().requires_grad_()
    state, params = network.init_state((3,))
    total = params.sum()
    for k in range(3):
        state, params = network.step(state, values[:, k : k + 1])
        total = total + params.sum()
    wanted = [values, *network.parameters()]
    for by_steps, at_once in zip(
        torch.autograd.grad(total, wanted), torch.autograd.grad(network(values).sum(), wanted), strict=True
    ):
        torch.testing.assert_close(by_steps, at_once)


def test_another_activation_and_contexts_that_broadcast():
    network = NADE(3, 1, hidden=5, context_features=2, activation=torch.nn.Tanh)
    assert network(torch.zeros(7, 1, 3), torch.zeros(5, 2)).shape == (7, 5, 3, 1)
    with torch.no_grad():
        network.inner_bias.fill_(-50.0)
    torch.testing.assert_close(network(torch.zeros(3), torch.zeros(2)), -network.outer.sum(-1) + network.outer_bias)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be positive; got 3, 1, 1 and 0"):
        NADE(3, 1, hidden=0)
    with pytest.raises(ValueError, match="permutation"):
        NADE(3, 1, order=(0, 1, 1))
    with pytest.raises(ValueError, match="permutation of 0 to 2"):
        NADE(3, 1, order=(1, 0))
    with pytest.raises(ContextError, match="NADE takes no context"):
        NADE(3, 1)(torch.zeros(5, 3), torch.zeros(5, 2))
    network = NADE(3, 1)
    with pytest.raises(ValueError, match="must end with the 1 numbers"):
        network.step(network.init_state((5,))[0], torch.zeros(5, 2))
