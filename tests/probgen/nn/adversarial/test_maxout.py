"""Maxout layers and the networks of the grid of Gaussians."""

import pytest
import torch

from probgen.nn import BatchNormMLP, Maxout, MaxoutCritic


def test_the_largest_of_the_pieces():
    torch.manual_seed(0)
    layer = Maxout(3, 4, pieces=5)
    x = torch.randn(2, 7, 3)
    functions = torch.stack([
        x @ layer.linear.weight.reshape(4, 5, 3)[:, k].T + layer.linear.bias.reshape(4, 5)[:, k] for k in range(5)
    ])  # fmt: skip
    torch.testing.assert_close(layer(x), functions.amax(0))


def test_it_is_convex():
    torch.manual_seed(0)
    layer = Maxout(3, 50)
    x, y = torch.randn(2, 20, 3)
    assert (layer((x + y) / 2) <= (layer(x) + layer(y)) / 2 + 1e-6).all()


def test_batch_normalization_keeps_every_layer_alive():
    """Hidden units have mean zero and variance one over a batch, however large the noise."""
    torch.manual_seed(0)
    generator = BatchNormMLP(2, 3, hidden=(16, 16))
    h = generator.layers[:2](1e3 * torch.randn(64, 2))
    torch.testing.assert_close(h.var(0, correction=0), torch.ones(16), rtol=1e-3, atol=0)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        generator(torch.randn(1, 2))
    generator.eval()
    assert generator(torch.randn(1, 2)).shape == (1, 3)


def test_spectral_critic_is_lipschitz_in_each_piece():
    torch.manual_seed(0)
    critic = MaxoutCritic(2, hidden=(8, 8), spectral=True)
    for _ in range(100):
        critic(torch.zeros(1, 2))
    x, y = torch.randn(2, 200, 2)
    assert ((critic(x) - critic(y)).abs().squeeze(1) <= (x - y).norm(dim=1) * (1 + 1e-4)).all()


def test_wrong_sizes_are_named():
    for make, message in [
        (lambda: Maxout(2, 3, pieces=0), "`pieces` must be positive; got 0"),
        (lambda: MaxoutCritic(0), "`in_features` must be positive; got 0"),
        (lambda: BatchNormMLP(2, 2, hidden=()), r"`hidden` must be positive; got \(\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()
