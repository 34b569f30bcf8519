"""Weights as length times direction; lengths and biases set by data."""

import copy
import pickle

import pytest
import torch
from torch import nn

from probgen.nn.causal import DownShiftedConv2d, NormalizedPointwise, initialized_by_data


def test_the_length_of_each_output_is_its_gain():
    torch.manual_seed(0)
    layer = NormalizedPointwise(3, 4).double()
    nn.init.normal_(layer.direction)
    nn.init.normal_(layer.gain)
    torch.testing.assert_close(layer.weight().flatten(1).norm(dim=1), layer.gain.abs())
    cosine = nn.functional.cosine_similarity(layer.weight().flatten(1), layer.direction.flatten(1))
    torch.testing.assert_close(cosine, layer.gain.sign())


@pytest.mark.parametrize("weight_norm", [True, False])
def test_pointwise_is_a_linear_map_at_every_position(weight_norm):
    torch.manual_seed(0)
    layer = NormalizedPointwise(3, 4, weight_norm=weight_norm).double()
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 3, 5, 2).double()
    expected = torch.einsum("oc,nchw->nohw", layer.weight()[..., 0], x) + layer.bias[:, None, None]
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer(x[..., 1, 0]), expected[..., 1, 0])
    torch.testing.assert_close(layer(x, layer.weight()), expected)
    assert (layer.gain is None) == (not weight_norm)


@pytest.mark.parametrize("weight_norm", [True, False])
def test_after_a_pass_each_layer_gives_mean_zero_and_its_deviation(weight_norm):
    torch.manual_seed(0)
    first = DownShiftedConv2d(2, 5, weight_norm=weight_norm)
    second = NormalizedPointwise(5, 3, weight_norm=weight_norm, init_scale=0.1)
    model = nn.Sequential(first, nn.ELU(), second).double()
    with torch.no_grad():
        first.bias += 3.0
    x = 7 + 5 * torch.randn(40, 2, 4, 6).double()
    with initialized_by_data(model):
        during = model(x)
    for out, deviation in ((first(x), 1.0), (model(x), 0.1)):
        torch.testing.assert_close(out.mean((0, 2, 3)), out.new_zeros(out.shape[1]), atol=1e-9, rtol=0)
        torch.testing.assert_close(
            out.std((0, 2, 3), correction=0), out.new_full((out.shape[1],), deviation), rtol=1e-6, atol=0
        )
    torch.testing.assert_close(during, model(x))  # what came out was right already, and the hooks are gone
    again = copy.deepcopy(first.state_dict())
    first(2 * x)
    assert all(torch.equal(again[name], value) for name, value in first.state_dict().items())


def test_a_constant_output_stays_finite():
    layer = NormalizedPointwise(2, 3)
    with initialized_by_data(layer):
        layer(torch.zeros(4, 2))
    assert all(bool(value.isfinite().all()) for value in layer.parameters())


def test_copies_and_pickles():
    layer = NormalizedPointwise(2, 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(other(torch.ones(1, 2)), layer(torch.ones(1, 2)))


def test_errors():
    with pytest.raises(ValueError, match="sizes must be positive; got 0 and 3 features"):
        NormalizedPointwise(0, 3)
