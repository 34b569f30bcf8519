"""Equalized layers and pixel normalization."""

import math

import pytest
import torch
import torch.nn.functional as F

from probgen.nn.adversarial import EqualizedConv2d, EqualizedLinear, PixelNormalization


def test_weights_are_standard_normal_and_outputs_keep_their_size():
    torch.manual_seed(0)
    layer = EqualizedConv2d(64, 64)
    assert abs(layer.weight.std() - 1) < 0.02
    x = torch.randn(4, 64, 16, 16)
    inner = layer(x)[..., 1:-1, 1:-1]
    assert abs(inner.std() - math.sqrt(2)) < 0.06
    torch.testing.assert_close(layer(x), F.conv2d(x, layer.weight * math.sqrt(2 / (64 * 9)), layer.bias, padding=1))


def test_adam_moves_all_layers_at_the_same_relative_speed():
    """One step of Adam changes every weight by its rate; relative to its size that is the same in wide and narrow layers."""
    torch.manual_seed(0)
    changes = []
    for width in (4, 400):
        layer = EqualizedLinear(width, 3)
        before = (layer.weight * layer.scale).detach().clone()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
        layer(torch.randn(50, width)).square().sum().backward()
        optimizer.step()
        changes.append(((layer.weight * layer.scale - before).abs().mean() * math.sqrt(width)).item())
    assert changes[0] == pytest.approx(changes[1], rel=1e-3)


def test_pixel_normalization():
    x = torch.randn(3, 8, 5, 5) * torch.rand(3, 1, 5, 5)
    y = PixelNormalization()(x)
    torch.testing.assert_close(y.square().mean(1), torch.ones(3, 5, 5), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(F.normalize(y, dim=1), F.normalize(x, dim=1))


def test_even_kernels_are_refused():
    with pytest.raises(ValueError, match="`kernel` must be odd; got 4"):
        EqualizedConv2d(2, 2, 4)
    assert EqualizedLinear(3, 2, bias=False).bias is None
