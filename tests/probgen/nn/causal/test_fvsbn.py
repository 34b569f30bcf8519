"""FVSBN: logistic regressions on the past, the Markov chain it contains, what is refused. Steps: the laws of networks."""

import math

import pytest
import torch

from probgen.distributions import Autoregressive
from probgen.distributions._checks import ContextError
from probgen.distributions.elements import BernoulliElement
from probgen.nn import FVSBN


def test_a_conditional_is_a_logistic_regression_on_the_past():
    network = FVSBN(4, 1).double()
    weight, bias = network.linear.weight.detach().tril(-1), network.linear.bias.detach()
    x = torch.tensor([1.0, 0.0, 1.0, 1.0]).double()
    expected = sum(math.log(torch.sigmoid((2 * x[i] - 1) * (bias[i] + (weight[i, :i] * x[:i]).sum())).item()) for i in range(4))
    assert Autoregressive(network, (4,), BernoulliElement()).log_prob(x).item() == pytest.approx(expected, abs=1e-12)


def test_it_contains_a_chain_of_bits_exactly():
    flip, network = 0.1, FVSBN(6, 1).double()
    odds = math.log((1 - flip) / flip)
    with torch.no_grad():
        network.linear.weight.zero_()
        network.linear.weight.diagonal(-1).fill_(2 * odds)
        network.linear.bias.fill_(-odds)[0] = 0
    law = Autoregressive(network, (6,), BernoulliElement())
    states = law.enumerate_support()
    flips = (states[:, 1:] != states[:, :-1]).sum(-1)
    expected = flips * math.log(flip) + (5 - flips) * math.log(1 - flip) - math.log(2)
    torch.testing.assert_close(law.log_prob(states), expected.double())
    entropy = -(law.log_prob(states).exp() * law.log_prob(states)).sum()
    assert entropy.item() == pytest.approx(math.log(2) + 5 * 0.32508297, abs=1e-7)  # the rate of the chain, nats


def test_every_output_sees_exactly_what_is_before_it():
    network = FVSBN(4, 3, num_inputs=2, order=(2, 0, 3, 1)).double()
    jacobian = torch.autograd.functional.jacobian(network, torch.randn(8).double()) != 0
    rank = torch.tensor([1, 3, 0, 2])
    assert torch.equal(jacobian, (rank[:, None] > rank).repeat_interleave(2, 1)[:, None].expand(4, 3, 8))


def test_the_mask_is_not_a_parameter_and_hidden_weights_do_not_act():
    network = FVSBN(3, 1)
    x, before = torch.randn(5, 3), network(torch.randn(5, 3)).shape
    expected = network(x)
    with torch.no_grad():
        network.linear.weight.add_(torch.ones(3, 3).triu() * 7)
    assert before == (5, 3, 1)
    assert torch.equal(network(x), expected)
    assert set(network.state_dict()) == {"linear.weight", "linear.bias"}


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="must be positive; got 0, 1 and 1"):
        FVSBN(0, 1)
    with pytest.raises(ValueError, match="permutation"):
        FVSBN(3, 1, order=(0, 1, 1))
    with pytest.raises(ValueError, match="permutation of 0 to 2"):
        FVSBN(3, 1, order=(1, 0))
    with pytest.raises(ContextError, match="FVSBN needs a context"):
        FVSBN(3, 1, context_features=2)(torch.zeros(5, 3))
    network = FVSBN(3, 1, num_inputs=2)
    with pytest.raises(ValueError, match="must end with the 2 numbers"):
        network.step(network.init_state((5,))[0], torch.zeros(5, 1))
