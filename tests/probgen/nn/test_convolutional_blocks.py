"""The blocks of convolutional networks."""

import pytest
import torch
from torch import nn

from probgen.nn import ConvBlock, Downsample, ResidualBlock, Upsample
from probgen.nn.convolutional_blocks import ContextFeatures, ConvBuild, ConvLevel, image_grids, require_sizes


def build(**options):
    return ConvBuild(**{"residual": False, "normalization": False, "activation": nn.ReLU, "features": 0, **options})


def test_a_block_is_convolution_scale_and_shift_activation():
    block, x, features = ConvBlock(2, 3, features=4, activation=nn.Identity), torch.randn(5, 2, 4, 6), torch.randn(5, 4)
    scale, shift = block.features(features)[..., None, None].chunk(2, 1)
    assert torch.allclose(block(x, features), block.convolution(x) * (1 + scale) + shift, atol=1e-6)
    assert torch.equal(block(x), block.convolution(x))
    normalized = ConvBlock(2, 8, normalization=True, activation=nn.Identity)(x)
    assert float(normalized.mean().abs().detach()) < 1e-5


def test_builds_hold_the_blocks_that_were_asked_for():
    plain, residual = build(normalization=True).blocks(2, 8, 3), build(residual=True, activation=nn.SiLU).blocks(2, 8, 3)
    assert [type(block) for block in plain] == [ConvBlock] * 3
    assert [type(block) for block in residual] == [ResidualBlock] * 3
    assert all(block.normalization is not None for block in plain)
    assert isinstance(build().after(), nn.ReLU)
    with pytest.raises(ValueError, match="residual ones have SiLU"):
        build(residual=True)


def test_levels_change_the_resolution_after_their_blocks():
    x = torch.randn(2, 1, 7, 8)
    down = ConvLevel(build().blocks(1, 4, 2), Downsample(4), nn.ReLU())
    up = ConvLevel(build().blocks(4, 3, 1), Upsample(3), nn.ReLU())
    h = down(x, None)
    assert h.shape == (2, 4, 4, 4)
    assert up(h, None, (7, 8)).shape == (2, 3, 7, 8)
    assert ConvLevel(build().blocks(1, 4, 1), None, nn.ReLU())(x, None, (7, 8)).shape == (2, 4, 7, 8)


def test_features_of_a_context():
    assert ContextFeatures(0, 8)(None, "it", (5,)) is None
    assert ContextFeatures(2, 8)(torch.zeros(2), "it", (0,)).shape == (0, 8)


def test_grids_and_sizes():
    assert image_grids((1, 1, 5), 4)[1] == [(1, 5), (1, 3), (1, 2), (1, 1)]
    with pytest.raises(ValueError, match="`blocks` must be positive; got 0"):
        require_sizes(width=1, blocks=0)
