"""Diffusion transformers."""

import pytest
import torch

from probgen.nn import DiT, TextConditioning
from probgen.nn.dit import sinusoidal_positions
from tests.probgen.nn.networks import awake


def test_the_small_network_of_the_paper_has_its_number_of_parameters():
    """DiT-S/2 on 4 x 32 x 32 latents, mean and variance: "33 M" with a vector for each of 1001 classes."""
    with torch.device("meta"):
        network = DiT((4, 32, 32), patch=2, width=384, depth=12, heads=6, out_channels=8)
    count = sum(parameter.numel() for parameter in network.parameters()) + 1001 * 384
    assert round(count / 1e6) == 33


def test_patches_come_back_where_they_were():
    """A linear network that copies: tokens hold their patch, blocks are the identity, the last map undoes the first."""
    network = DiT((2, 4, 6), patch=2, width=8, depth=1, heads=1)
    network.normalization = torch.nn.Identity()
    network.positions.zero_()
    with torch.no_grad():
        network.first.weight.copy_(torch.eye(8).reshape(8, 2, 2, 2))  # tokens in the order channel, row, column
        network.first.bias.zero_()
        network.last.weight.copy_(torch.eye(8).reshape(2, 2, 2, 8).permute(1, 2, 0, 3).reshape(8, 8))  # row, column, channel
    x = torch.randn(3, 2, 4, 6)
    torch.testing.assert_close(network(x, torch.zeros(3)), x)


def test_blocks_start_as_the_identity():
    network = DiT((1, 4, 4), width=8, depth=1, heads=2, conditioning=TextConditioning(9, 3, width=8, heads=2))
    block, h, context = network.blocks[0], torch.randn(2, 4, 8), torch.tensor([[1, 2, 0]] * 2)
    assert torch.equal(block(h, torch.randn(2, 8), network.conditioning(context)), h)
    changed = awake(block)(h, torch.randn(2, 8), network.conditioning(context))
    assert (changed - h).abs().max() > 1e-2


def test_a_block_is_its_formula():
    block, h, e = awake(DiT((1, 4, 4), width=8, depth=1, heads=2)).blocks[0], torch.randn(2, 4, 8), torch.randn(2, 8)
    s1, b1, a1, s2, b2, a2 = block.modulation(e)[:, None].split(8, dim=-1)
    g = h + a1 * block.attention((1 + s1) * block.normalization(h) + b1)
    expected = g + a2 * block.network((1 + s2) * block.normalization(g) + b2)
    conditions = type("NoConditions", (), {"sequence": None, "mask": None})
    torch.testing.assert_close(block(h, e, conditions), expected)


def test_positions():
    """Row and column are each told apart from all others; the features are cosines and sines of them."""
    p = sinusoidal_positions(5, 7, 16)
    assert p.shape == (35, 16)
    distance = torch.cdist(p, p) + 10 * torch.eye(35)
    assert distance.min() > 0.1
    angle = 3.0 * 10_000 ** (-torch.arange(4) / 4)
    torch.testing.assert_close(p[3 * 7 + 2, :8], torch.cat([angle.cos(), angle.sin()]))
    torch.testing.assert_close(p[2 * 7 + 3, 8:], torch.cat([angle.cos(), angle.sin()]))


def test_places_matter():
    network, x = awake(DiT((1, 4, 4), width=16, depth=2, heads=2)), torch.randn(1, 1, 4, 4)
    moved = network(x.roll(2, 3), torch.zeros(1)).roll(2, 3)  # by one patch: without positions nothing would change
    assert (moved - network(x, torch.zeros(1))).abs().max() > 1e-3
    network.positions.zero_()
    torch.testing.assert_close(network(x.roll(2, 3), torch.zeros(1)).roll(2, 3), network(x, torch.zeros(1)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"event_shape": (8, 8)}, "`event_shape` must be"),
        ({"event_shape": (1, 7, 8)}, r"`patch` must divide \(7, 8\).*got 2"),
        ({"width": 6}, "4 must divide `width`; got 2 and 6"),
        ({"depth": 0}, "must be positive; got 2, 8 and 0"),
        ({"out_channels": 0}, "`out_channels` must be positive"),
        ({"heads": 3}, "`heads` must divide"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        DiT(**({"event_shape": (1, 8, 8), "width": 8, "depth": 1, "heads": 2} | settings))


@pytest.mark.parametrize("features", [0, 6])
def test_positions_need_four_numbers(features):
    with pytest.raises(ValueError, match="`features` must be a positive multiple of 4"):
        sinusoidal_positions(2, 2, features)


def test_learned_variance_has_twice_the_channels():
    network = awake(DiT((3, 4, 4), width=8, depth=1, heads=2, out_channels=6))
    assert network(torch.randn(2, 3, 4, 4), torch.zeros(2)).shape == (2, 6, 4, 4)
