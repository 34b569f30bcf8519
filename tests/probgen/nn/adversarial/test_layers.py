"""Normalizations, ranges and starts by name."""

import pytest
import torch
from torch import nn

from probgen.nn.adversarial import ConditionalNormalization, normalization_layer, output_activation, uniform_initialized
from probgen.nn.adversarial.layers import cancels_bias

OVER = {"batch": (0, 2, 3), "layer": (1, 2, 3), "instance": (2, 3)}


@pytest.mark.parametrize("name", OVER)
def test_what_each_normalizes_over(name):
    torch.manual_seed(0)
    x = 3 * torch.randn(4, 5, 6, 7, dtype=torch.float64) + torch.arange(5.0)[:, None, None]
    y = normalization_layer(name, 5, affine=False).double()(x)
    assert y.mean(OVER[name]).abs().max() < 1e-12
    torch.testing.assert_close(y.var(OVER[name], correction=0), torch.ones_like(y.mean(OVER[name])), rtol=1e-4, atol=0)


def test_instance_is_that_of_torch():
    x = torch.randn(3, 4, 5, 5)
    torch.testing.assert_close(normalization_layer("instance", 4)(x), nn.InstanceNorm2d(4)(x), rtol=1e-4, atol=1e-5)
    assert normalization_layer("instance", 4)(x[:0]).shape == (0, 4, 5, 5)


@pytest.mark.parametrize("name", [*OVER, "none"])
def test_which_biases_have_no_effect(name):
    x, shift = torch.randn(4, 6, 5, 5), torch.randn(6, 1, 1)
    layer = normalization_layer(name, 6)
    change = (layer(x + shift) - layer(x)).abs().max()
    assert (change < 1e-4) == cancels_bias(name)


@pytest.mark.parametrize("name", [*OVER, "none"])
def test_conditional_scale_and_shift(name):
    torch.manual_seed(0)
    layer = ConditionalNormalization(name, 6, features=3).double()
    h, e = torch.randn(4, 6, 5, 5).double(), torch.randn(4, 3).double()
    scale, shift = layer.features(e).chunk(2, dim=1)
    plain = normalization_layer(name, 6, affine=False).double()(h)
    torch.testing.assert_close(layer(h, e), (1 + scale[:, :, None, None]) * plain + shift[:, :, None, None])


def test_ranges():
    x = torch.tensor([-50.0, 0.0, 50.0])
    values = {name: output_activation(name)(x).tolist() for name in ("tanh", "sigmoid", "identity")}
    assert values == {"tanh": [-1, 0, 1], "sigmoid": [pytest.approx(0, abs=1e-6), 0.5, 1], "identity": [-50, 0, 50]}


def test_uniform_start_has_glorots_variance():
    torch.manual_seed(0)
    layer = nn.Conv2d(40, 60, 3)
    uniform_initialized(layer)
    assert layer.weight.var().item() == pytest.approx(2 / (9 * 100), rel=0.05)
    assert not layer.bias.any()


def test_unknown_names():
    with pytest.raises(ValueError, match="`normalization` must be 'batch', 'layer', 'instance' or 'none'; got 'group'"):
        normalization_layer("group", 4)
    with pytest.raises(ValueError, match="`output` must be 'tanh', 'sigmoid' or 'identity'; got 'relu'"):
        output_activation("relu")
