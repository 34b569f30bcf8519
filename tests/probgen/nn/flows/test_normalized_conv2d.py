import pytest
import torch
import torch.nn.functional as F

from probgen.nn.causal import initialized_by_data
from probgen.nn.flows import NormalizedConv2d


def test_length_and_direction_are_parameters_of_their_own():
    torch.manual_seed(0)
    layer, x = NormalizedConv2d(2, 3), torch.randn(4, 2, 5, 5)
    with torch.no_grad():
        layer.direction.mul_(7.0)
        layer.gain.copy_(torch.tensor([1.0, 2.0, 0.5]))
    unit = layer.direction / layer.direction.flatten(1).norm(dim=1)[:, None, None, None]
    assert torch.allclose(layer(x), F.conv2d(x, layer.gain[:, None, None, None] * unit, layer.bias, padding=1), atol=1e-6)


def test_it_can_be_started_from_data():
    torch.manual_seed(0)
    layer, x = NormalizedConv2d(2, 3), 4.0 + 3.0 * torch.randn(16, 2, 5, 5)
    with initialized_by_data(layer):
        layer(x)
    assert layer(x).mean((0, 2, 3)).abs().max() < 1e-4
    assert (layer(x).std((0, 2, 3), correction=0) - 1).abs().max() < 1e-4


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="`kernel_size` must be odd; got 2"):
        NormalizedConv2d(2, 3, 2)
