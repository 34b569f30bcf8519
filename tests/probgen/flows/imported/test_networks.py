"""Rebuilt networks: what each step gives is what the parallel pass gives; errors by name."""

import pytest
import torch
from torch import nn

from probgen.flows.imported import ReevaluatedNetwork
from probgen.flows.imported.networks import MaskedLayer, layers_of


def _network() -> ReevaluatedNetwork:
    """Coordinates 2, then 0 and 1 together, given a context of one number."""
    layer = nn.Linear(4, 6)
    layer.mask = torch.tensor([[0, 0, 1, 1]] * 4 + [[0, 0, 0, 1]] * 2)
    return ReevaluatedNetwork(MaskedLayer(layer), levels=((2,), (0, 1)), num_outputs=2, context_features=1)


def test_steps_agree_with_the_parallel_pass() -> None:
    """Level after level, in an order that is not the coordinates' own."""
    network = _network()
    x, context = torch.randn(5, 3), torch.randn(5, 1)
    expected = network(x, context)
    state, params = network.init_state((5,), context)
    assert torch.allclose(params, expected[:, [2]])
    state, params = network.step(state, x[:, [2]])
    assert torch.allclose(params, expected[:, [0, 1]])
    state, params = network.step(state, x[:, [0, 1]])
    assert params.shape == (5, 0, 2)


def test_errors_name_what_came() -> None:
    """Levels, half a level, a layer that is not known."""
    with pytest.raises(ValueError, match="each of 0 to 1 once"):
        ReevaluatedNetwork(nn.Linear(2, 2), levels=((0,), (0,)), num_outputs=1)
    network = _network()
    state, _ = network.init_state((5,), torch.zeros(5, 1))
    state, _ = network.step(state, torch.zeros(5, 1))
    with pytest.raises(ValueError, match="one whole level"):
        network.step(state, torch.zeros(5, 1))
    with pytest.raises(ValueError, match="BatchNorm1d cannot be imported"):
        layers_of(nn.Sequential(nn.BatchNorm1d(3)))
