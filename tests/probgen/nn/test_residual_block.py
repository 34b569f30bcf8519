"""Residual blocks and changes of resolution."""

import pytest
import torch
import torch.nn.functional as F

from probgen.nn import Downsample, ResidualBlock, Upsample
from tests.probgen.nn.networks import awake


def test_adaptive_block_is_its_formula():
    block, x, e = awake(ResidualBlock(8, 12, features=5)), torch.randn(2, 8, 3, 4), torch.randn(2, 5)
    scale, shift = block.features(e)[:, :, None, None].split(12, dim=1)
    h = block.first(F.silu(block.first_normalization(x)))
    h = block.second(F.silu(block.second_normalization(h) * (1 + scale) + shift))
    torch.testing.assert_close(block(x, e), block.skip(x) + h)


def test_additive_block_is_its_formula():
    block, x, e = awake(ResidualBlock(8, 8, features=5, normalization="additive")), torch.randn(2, 8, 3, 4), torch.randn(2, 5)
    h = block.first(F.silu(block.first_normalization(x))) + block.features(e)[:, :, None, None]
    torch.testing.assert_close(block(x, e), x + block.second(F.silu(block.second_normalization(h))))


def test_block_without_features():
    block, x = awake(ResidualBlock(8, 8)), torch.randn(2, 8, 3, 4)
    h = block.first(F.silu(block.first_normalization(x)))
    torch.testing.assert_close(block(x), x + block.second(F.silu(block.second_normalization(h))))


def test_dropout_acts_in_training_only():
    block, x = awake(ResidualBlock(8, 8, dropout=0.5)), torch.randn(2, 8, 6, 6)
    assert not torch.equal(block(x), block(x))
    block.eval()
    assert torch.equal(block(x), block(x))


def test_unknown_normalization_is_named():
    with pytest.raises(ValueError, match="`normalization` must be 'adaptive' or 'additive'; got 'batch'"):
        ResidualBlock(8, 8, normalization="batch")


@pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 28), (1, 5), (3, 1)])
def test_up_undoes_the_size_of_down(height, width):
    x = torch.randn(2, 4, height, width)
    down = Downsample(4)(x)
    assert down.shape == (2, 4, (height + 1) // 2, (width + 1) // 2)
    assert Upsample(4)(down, x.shape[2:]).shape == x.shape


def test_pixels_stay_where_they_were():
    """Without convolutions, pixel (i, j) of the small grid is (2i, 2j) of the large one, at odd sizes too."""
    down, up = Downsample(1), Upsample(1)
    for layer in (down, up):
        with torch.no_grad():
            layer.convolution.weight.zero_()
            layer.convolution.weight[0, 0, 1, 1] = 1.0
            layer.convolution.bias.zero_()
    x = torch.arange(35.0).reshape(1, 1, 5, 7)
    there_and_back = up(down(x), (5, 7))
    assert torch.equal(there_and_back[..., ::2, ::2], x[..., ::2, ::2])
    assert torch.equal(there_and_back[0, 0, 1], there_and_back[0, 0, 0])
