"""Masked convolutions: the mask is what the mathematics says, at once and at one pixel; the weights stay as they are."""

import pytest
import torch
import torch.nn.functional as F

from probgen.nn.causal import MaskedConv2d, Stream


def full_kernel(layer, height, columns):
    """The kernel that a textbook would mask: odd sides, zeros below the center and to the right of it."""
    kernel = torch.zeros(layer.out_channels, layer.in_channels, height, columns, dtype=layer.weight.dtype)
    rows, seen = layer.weight.shape[-2:]
    kernel[:, :, :rows, :seen] = (layer.weight * layer.mask).detach()
    return kernel


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("size", [(3, 3), (5, 3), (1, 5), (3, 1), (1, 1)])
def test_it_is_a_convolution_with_a_masked_kernel(kind, size):
    torch.manual_seed(0)
    layer = MaskedConv2d(3, 6, size, kind=kind, colors=3).double()
    x = torch.randn(2, 3, 5, 4).double()
    padding = (size[0] // 2, size[1] // 2)
    torch.testing.assert_close(layer(x), F.conv2d(x, full_kernel(layer, *size), layer.bias, padding=padding))


@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("colors", [1, 3])
def test_a_color_sees_earlier_pixels_and_earlier_colors(kind, colors):
    torch.manual_seed(0)
    layer = MaskedConv2d(3, 6, 3, kind=kind, colors=colors).double()
    x = torch.randn(1, 3, 3, 3).double()
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x)[0, :, 1, 1], x)[:, 0]  # [6, 3, 3, 3]
    assert (jacobian[:, :, 0] != 0).all()
    assert (jacobian[:, :, 1, 0] != 0).all()
    assert (jacobian[:, :, 1, 2] == 0).all()
    assert (jacobian[:, :, 2] == 0).all()
    source, target = torch.arange(3) * colors // 3, (torch.arange(6) * colors // 6).unsqueeze(1)
    expected = source < target if kind == "A" else source <= target
    assert torch.equal(jacobian[:, :, 1, 1] != 0, expected)


def test_colors_stand_once_or_several_times_in_the_channels():
    layer = MaskedConv2d(6, 12, 1, colors=3, repeats=(2, 4))
    assert torch.equal(layer.mask[:3, :3, 0, 0], torch.ones(3, 3).tril())
    assert torch.equal(layer.mask[..., 0, 0], torch.ones(3, 3).tril().repeat(4, 2))


@pytest.mark.parametrize("size", [3, (1, 5), (5, 3), (3, 1)])
@pytest.mark.parametrize("kind", ["A", "B"])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_column_is_the_parallel_pass_at_its_pixel_also_when_it_is_asked_twice(size, kind, in_place):
    torch.manual_seed(0)
    layer = MaskedConv2d(4, 6, size, kind=kind, colors=2, width=4).double()
    torch.nn.init.normal_(layer.bias)
    x, add = torch.randn(3, 4, 4, 4).double(), torch.randn(3, 6, 4, 4).double()
    expected, memory = layer(x, None, add).flatten(2), None
    with torch.no_grad():
        for position in range(16):
            for _ in range(2):  # a pixel is run once for each of its colors
                seen = x if kind == "A" else x.flatten(2)[..., position]
                stream = Stream(position, memory, in_place=in_place)
                column = layer(seen, stream, add.flatten(2)[..., position])
                memory = stream.memory
                torch.testing.assert_close(column, expected[..., position])


def test_weights_are_never_written_and_masked_ones_get_no_gradient():
    torch.manual_seed(0)
    layer = MaskedConv2d(3, 3, 3, kind="A", colors=3)
    before = layer.weight.detach().clone()
    layer(torch.randn(2, 3, 5, 5)).square().sum().backward()
    assert torch.equal(layer.weight, before)
    assert (layer.weight.grad[layer.mask == 0] == 0).all()
    assert (layer.weight.grad[layer.mask == 1] != 0).all()
    assert "mask" not in layer.state_dict()


def test_outputs_start_at_the_size_of_the_inputs():
    torch.manual_seed(0)
    layer = MaskedConv2d(32, 300, 3, colors=3)
    spread = layer(torch.randn(8, 32, 9, 9))[:, :, 2:-2, 2:-2].std((0, 2, 3))
    assert 0.8 < spread.unflatten(0, (3, 100)).mean(1).min() < spread.unflatten(0, (3, 100)).mean(1).max() < 1.2


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`kernel_size` must be odd; got 4"):
        MaskedConv2d(1, 1, 4)
    with pytest.raises(ValueError, match='`kind` must be "A" or "B"; got \'C\''):
        MaskedConv2d(1, 1, 3, kind="C")
    with pytest.raises(ValueError, match="`in_channels` must give each of 3 colors a channel, 1 times; got 2"):
        MaskedConv2d(2, 3, 3, colors=3)
    with pytest.raises(ValueError, match="`width` must be given to a MaskedConv2d that runs on a stream"):
        MaskedConv2d(1, 1, 3)(torch.zeros(1, 1), Stream(0))
