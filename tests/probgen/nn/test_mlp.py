"""Multilayer perceptrons."""

import pytest
import torch
from torch import nn

from probgen.nn import MLP
from probgen.nn.mlp import residual_width


def test_it_is_the_composition_of_its_layers():
    network = MLP(3, 2, hidden=(8, 4), activation=nn.Tanh)
    x = torch.randn(5, 3)
    first, second, last = network.layers
    assert torch.allclose(network(x), last(torch.tanh(second(torch.tanh(first(x))))))


def test_residual_blocks_add_their_input():
    network = MLP(3, 2, hidden=(8, 8, 8), residual=True)
    x = torch.randn(5, 3)
    first, inner, outer, last = network.layers
    h = first(x)
    assert torch.allclose(network(x), last(torch.relu(h + outer(torch.relu(inner(torch.relu(h)))))), atol=1e-6)


def test_context_is_concatenated_and_broadcast():
    network = MLP(3, 2, hidden=(8,), context_features=1)
    x, context = torch.randn(7, 1, 3), torch.randn(5, 1)
    joined = torch.cat([x.expand(7, 5, 3), context.expand(7, 5, 1)], -1)
    assert torch.allclose(network(x, context), MLP.forward(network, joined))


def test_no_inputs_and_no_hidden_layers():
    assert MLP(0, 2, hidden=(4,))(torch.zeros(5, 0)).shape == (5, 2)
    assert MLP(3, 2, hidden=())(torch.zeros(5, 3)).shape == (5, 2)


def test_dropout_acts_in_training_only():
    network = MLP(3, 2, hidden=(64,), dropout=0.5)
    x = torch.randn(5, 3)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_wrong_widths_are_named():
    with pytest.raises(ValueError, match="must not be negative"):
        MLP(-1, 2)
    with pytest.raises(ValueError, match="odd number of equal"):
        residual_width((8, 8))
