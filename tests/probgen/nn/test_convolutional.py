"""Convolutional encoders and decoders: any size of image, empty batches, contexts, blocks, what they cost."""

import pytest
import torch
from torch import nn

from probgen.distributions._checks import ContextError
from probgen.nn import ConvDecoder, ConvEncoder

SHAPES = [(1, 28, 28), (3, 7, 9), (2, 1, 1), (1, 8, 5), (4, 2, 3)]
KINDS = {"plain": {}, "normalized": {"normalization": True, "activation": nn.ReLU}, "residual": {"residual": True}}


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_any_size_of_image_and_batch(kind, shape):
    options = {"width": 4, "multipliers": (1, 2, 3), "blocks": 2, **KINDS[kind]}
    encoder, decoder = ConvEncoder(shape, 6, **options), ConvDecoder(5, shape, **options)
    for size in (0, 1, 3):
        assert encoder(torch.randn(size, *shape)).shape == (size, 6)
        assert decoder(torch.randn(size, 5)).shape == (size, *shape)


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_is_used_and_data_do_not_mix(kind):
    torch.manual_seed(0)
    options = {"width": 8, "context_features": 3, **KINDS[kind]}
    for network, shape in ((ConvEncoder((2, 9, 6), 4, **options), (2, 9, 6)), (ConvDecoder(4, (2, 9, 6), **options), (4,))):
        for parameter in network.parameters():  # residual blocks begin at zero
            with torch.no_grad():
                parameter += 0.1 * torch.randn_like(parameter)
        x, context = torch.randn(5, *shape, requires_grad=True), torch.randn(5, 3)
        y = network(x, context)
        y.square().sum().backward()
        assert all(bool((parameter.grad != 0).any()) for parameter in network.parameters())
        (grad,) = torch.autograd.grad(network(x, context)[2].sum(), x)
        assert bool((grad[2] != 0).any())
        assert not bool(grad[[0, 1, 3, 4]].any())


def test_the_decoder_sees_the_grids_of_the_encoder():
    """Levels of 7 x 9 images are 7 x 9, 4 x 5 and 2 x 3."""
    encoder, decoder = ConvEncoder((1, 7, 9), 2, width=4), ConvDecoder(2, (1, 7, 9), width=4)
    assert encoder.last.in_features == decoder.first.out_features == 4 * 2 * 3


def test_sizes_as_documented():
    """The counts that the docstrings name, for the defaults and for residual networks."""
    encoder, decoder = ConvEncoder((1, 28, 28), 40), ConvDecoder(20, (1, 28, 28))
    assert (parameters(encoder), parameters(encoder.last)) == (109_320, 62_760)
    assert (parameters(decoder), parameters(decoder.first)) == (79_457, 32_928)
    convolution = 32 * 32 * 9 + 32
    assert parameters(encoder) == 62_760 + (9 * 32 + 32) + 5 * convolution  # three blocks, two halvings
    assert parameters(decoder) == 32_928 + (9 * 32 + 1) + 5 * convolution


def test_a_context_changes_every_block_and_may_be_one_for_all():
    torch.manual_seed(0)
    network = ConvDecoder(4, (1, 6, 6), width=4, context_features=2)
    z, context = torch.randn(3, 4), torch.randn(2)
    assert torch.allclose(network(z, context), network(z, context.expand(3, 2)))
    assert not torch.allclose(network(z, context), network(z, context + 1))
    for wrong in (None, torch.zeros(3, 5), torch.zeros(2, 2)):
        with pytest.raises(ContextError, match="ConvDecoder"):
            network(z, wrong)
    with pytest.raises(ContextError, match="ConvEncoder takes no context"):
        ConvEncoder((1, 6, 6), 4)(torch.zeros(3, 1, 6, 6), context)


def test_errors():
    for wrong in ((28, 28), (1, 0, 28)):
        with pytest.raises(ValueError, match=r"`image_shape` must be \(C, H, W\)"):
            ConvEncoder(wrong, 4)
        with pytest.raises(ValueError, match=r"`out_shape` must be \(C, H, W\)"):
            ConvDecoder(4, wrong)
    for name in ("width", "blocks"):
        with pytest.raises(ValueError, match=f"`{name}` must be positive; got 0"):
            ConvEncoder((1, 8, 8), 4, **{name: 0})
    with pytest.raises(ValueError, match="`multipliers` must be positive"):
        ConvDecoder(4, (1, 8, 8), multipliers=())
    with pytest.raises(ValueError, match="`out_features` must be positive"):
        ConvEncoder((1, 8, 8), 0)
    with pytest.raises(ValueError, match="`context_features` must not be negative"):
        ConvEncoder((1, 8, 8), 4, context_features=-1)
    with pytest.raises(ValueError, match="`activation` is for plain blocks"):
        ConvEncoder((1, 8, 8), 4, residual=True, activation=nn.ReLU)
    with pytest.raises(ValueError, match=r"`x` of ConvEncoder must be \[N, 1, 8, 8\]; got \(3, 1, 8, 9\)"):
        ConvEncoder((1, 8, 8), 4)(torch.zeros(3, 1, 8, 9))
    with pytest.raises(ValueError, match=r"the input of ConvDecoder must be \[N, 4\]; got \(3, 5\)"):
        ConvDecoder(4, (1, 8, 8))(torch.zeros(3, 5))


def test_an_autoencoder_learns_a_few_images():
    torch.manual_seed(0)
    x = torch.zeros(4, 1, 7, 7)
    x[0, :, :3], x[1, :, 4:], x[2, ..., :3], x[3, ..., 4:] = 1.0, 1.0, 1.0, 1.0
    for options in KINDS.values():
        network = nn.Sequential(ConvEncoder((1, 7, 7), 8, width=6, **options), ConvDecoder(8, (1, 7, 7), width=6, **options))
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        losses = []
        for _ in range(60):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(network(x), x)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        assert losses[-1] < 0.7 * losses[0]
