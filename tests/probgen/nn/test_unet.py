"""The U-Net."""

import pytest
import torch

from probgen.nn import SpatialAttention, TextConditioning, UNet
from tests.probgen.nn.networks import awake


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_network_of_ddpm_has_its_number_of_parameters():
    """CIFAR-10 in Ho et al. (2020), appendix B: "35.7 million"; the published weights have 35 746 307."""
    with torch.device("meta"):
        network = UNet((3, 32, 32), normalization="additive", heads=1, dropout=0.1)
    assert parameters(network) == 35_746_307


def test_the_network_of_improved_ddpm_differs_by_its_scales():
    """Adaptive normalization doubles the outputs of one linear map a block."""
    with torch.device("meta"):
        adaptive, additive = UNet((3, 32, 32)), UNet((3, 32, 32), normalization="additive")
    widths = sum(module.second.out_channels for module in adaptive.modules() if hasattr(module, "second"))
    assert parameters(adaptive) - parameters(additive) == (512 + 1) * widths


@pytest.mark.parametrize("size", [(28, 28), (8, 8), (7, 7), (5, 9), (1, 3), (1, 1)])
@pytest.mark.parametrize("levels", [1, 3])
def test_any_size(size, levels):
    network = awake(UNet((2, *size), width=8, multipliers=(1,) * levels, blocks=1, attention=(0,), heads=2))
    x = torch.randn(2, 2, *size)
    output = network(x, torch.zeros(2))
    assert output.shape == x.shape
    assert output.isfinite().all()
    torch.testing.assert_close(network(x[:1], torch.zeros(1)), output[:1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("embedding", ["sinusoidal", "fourier"])
@pytest.mark.parametrize("normalization", ["adaptive", "additive"])
def test_all_ways_in_of_the_noise_level(embedding, normalization):
    settings = {"width": 8, "multipliers": (1, 2), "blocks": 1, "heads": 2}
    network = awake(UNet((1, 8, 8), embedding=embedding, normalization=normalization, **settings))
    x = torch.randn(1, 1, 8, 8).expand(3, -1, -1, -1)
    outputs = network(x, torch.tensor([-4.0, 0.0, 4.0]))
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3
    assert (outputs[1] - outputs[2]).abs().max() > 1e-3


def test_learned_variance_has_twice_the_channels():
    network = UNet((3, 8, 8), width=8, multipliers=(1,), attention=(), out_channels=6, heads=2)
    assert network(torch.randn(2, 3, 8, 8), torch.zeros(2)).shape == (2, 6, 8, 8)
    assert network.out_shape == (6, 8, 8)


def test_attention_stands_where_it_was_asked_for():
    network = UNet((1, 16, 16), width=8, multipliers=(1, 2, 3), blocks=2, attention=(1,), heads=2)
    channels = [layer.attention.output.in_features for layer in network.modules() if isinstance(layer, SpatialAttention)]
    assert channels == [16] * 2 + [24] + [16] * 3  # down, middle, up


def test_every_pixel_reaches_every_pixel():
    """Halvings, attention and skips are joined up: each output depends on each input."""
    network = awake(UNet((1, 9, 9), width=8, multipliers=(1, 1, 1), blocks=1, attention=(), heads=2)).double()
    jacobian = torch.func.jacrev(lambda x: network(x, torch.zeros(())))(torch.randn(1, 9, 9).double())
    assert jacobian.reshape(81, 81).abs().min() > 0


def test_text_is_read_at_every_attention():
    settings = {"width": 8, "multipliers": (1, 2), "attention": (0,), "heads": 2}
    network = awake(UNet((1, 8, 8), conditioning=TextConditioning(9, 4, width=12, heads=2), **settings))
    layers = [layer for layer in network.modules() if isinstance(layer, SpatialAttention)]
    assert len(layers) == 2 + 1 + 3
    assert all(layer.to_memory.memory_features == 12 for layer in layers)


def test_dropout_acts_in_training_only():
    network = awake(UNet((1, 8, 8), width=8, multipliers=(1,), attention=(), heads=2, dropout=0.5))
    x, levels = torch.randn(2, 1, 8, 8), torch.zeros(2)
    assert not torch.equal(network(x, levels), network(x, levels))
    network.eval()
    assert torch.equal(network(x, levels), network(x, levels))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"event_shape": (8, 8)}, r"`event_shape` must be \(C, H, W\), all positive; got \(8, 8\)"),
        ({"width": 0}, "`width`, `multipliers` and `blocks` must be positive; got 0,"),
        ({"multipliers": ()}, r"must be positive; got 8, \(\) and 2"),
        ({"blocks": 0}, "and 0"),
        ({"out_channels": 0}, "`out_channels` must be positive; got 0"),
        ({"attention": (4,)}, r"`attention` must name levels 0, ..., 3; got \(4,\)"),
        ({"heads": 5}, "`heads` must divide `features`; got 5"),
        ({"normalization": "batch"}, "`normalization`"),
        ({"embedding": "learned"}, "`embedding`"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        UNet(**({"event_shape": (1, 8, 8), "width": 8} | settings))


def test_it_learns():
    """A denoiser of two images: noise and image are told apart in 60 small steps."""
    images = torch.stack([torch.ones(1, 6, 6), -torch.ones(1, 6, 6)])
    network = UNet((1, 6, 6), width=8, multipliers=(1, 2), blocks=1)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(60):
        x = images[torch.randint(0, 2, (8,))]
        noise = torch.randn_like(x)
        loss = (network(0.5**0.5 * (x + noise), torch.zeros(8)) - noise).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.1  # the best that does not look at the input is 1
