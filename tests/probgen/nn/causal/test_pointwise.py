"""Layers of one position: the same for images, sequences and columns."""

import pytest
import torch

from probgen.nn.causal import Pointwise, gated_unit


@pytest.mark.parametrize("grid", [(5,), (3, 4)])
def test_a_pointwise_layer_is_one_linear_map(grid):
    torch.manual_seed(0)
    layer, x = Pointwise(3, 2).double(), torch.randn(4, 3, *grid).double()
    expected = (x.movedim(1, -1) @ layer.weight.mT + layer.bias).movedim(-1, 1)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x.flatten(2)[..., 1]), expected.flatten(2)[..., 1])


def test_a_gate_closes():
    assert gated_unit(torch.tensor([[3.0, -1e9]])).abs().max() == 0
    torch.testing.assert_close(gated_unit(torch.tensor([[3.0, 1e9]])), torch.tensor([[3.0]]).tanh())
