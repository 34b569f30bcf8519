"""Shifted convolutions: the formula, what they see, and that a stream gives the same."""

import pytest
import torch
from torch import nn

from probgen.nn.causal import DownRightShiftedConv2d, DownShiftedConv2d, Stream

H, W = 5, 6
KERNELS = [((2, 3), 1, 0), ((2, 3), 2, 0), ((1, 3), 1, 1), ((3, 5), 3, 0), ((2, 3), 1, 1), ((1, 1), 1, 0)]
PIXEL_KERNELS = [((2, 2), 1, 0), ((2, 2), 2, 0), ((2, 1), 1, 1), ((3, 2), 3, 0), ((1, 3), 1, 2), ((1, 1), 1, 0)]


def made(kind, kernel, stride, shift):
    torch.manual_seed(0)
    sizes = (2, 3) if kind is DownShiftedConv2d else (2, 3, W)
    layer = kind(*sizes, kernel, stride=stride, shift=shift).double()
    nn.init.normal_(layer.bias)
    return layer


def tap(x, row, column):
    """A pixel, or zeros outside of the image."""
    inside = 0 <= row < x.shape[2] and 0 <= column < x.shape[3]
    return x[:, :, row, column] if inside else x.new_zeros(x.shape[:2])


@pytest.mark.parametrize(("kernel", "stride", "shift"), KERNELS)
def test_down_shifted_is_its_formula(kernel, stride, shift):
    layer, x = made(DownShiftedConv2d, kernel, stride, shift), torch.randn(2, 2, H, W).double()
    weight, y = layer.weight(), layer(x)
    assert y.shape == (2, 3, -(-H // stride), -(-W // stride))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            expected = layer.bias.expand(2, 3)
            for a in range(kernel[0]):
                for d in range(-(kernel[1] // 2), kernel[1] // 2 + 1):
                    matrix = weight[:, :, kernel[0] - 1 - a, kernel[1] // 2 + d]
                    expected = expected + tap(x, stride * i - a - shift, stride * j + d) @ matrix.T
            torch.testing.assert_close(y[:, :, i, j], expected)


@pytest.mark.parametrize(("kernel", "stride", "shift"), PIXEL_KERNELS)
def test_down_right_shifted_is_its_formula(kernel, stride, shift):
    layer, x = made(DownRightShiftedConv2d, kernel, stride, shift), torch.randn(2, 2, H, W).double()
    weight, y = layer.weight(), layer(x)
    assert y.shape == (2, 3, -(-H // stride), -(-W // stride))
    for i in range(y.shape[2]):
        for j in range(y.shape[3]):
            expected = layer.bias.expand(2, 3)
            for a in range(kernel[0]):
                for d in range(kernel[1]):
                    matrix = weight[:, :, kernel[0] - 1 - a, kernel[1] - 1 - d]
                    expected = expected + tap(x, stride * i - a, stride * j - d - shift) @ matrix.T
            torch.testing.assert_close(y[:, :, i, j], expected)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "shift"), KERNELS)
def test_a_stream_of_rows_gives_the_same(kernel, stride, shift, in_place):
    layer, x = made(DownShiftedConv2d, kernel, stride, shift), torch.randn(2, 2, H, W).double()
    memory = None
    with torch.no_grad():
        expected = layer(x)
        for row in range(H):
            stream = Stream(row, memory, in_place=in_place)
            seen = x.clone()
            seen[:, :, row:] = 0  # a first layer reads the canvas
            found = layer(seen if shift else x[:, :, row], stream)
            memory = stream.memory
            if row % stride == 0:
                torch.testing.assert_close(found, expected[:, :, row // stride])


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "shift"), PIXEL_KERNELS)
def test_a_stream_of_pixels_gives_the_same(kernel, stride, shift, in_place):
    layer, x = made(DownRightShiftedConv2d, kernel, stride, shift), torch.randn(2, 2, H, W).double()
    memory = None
    with torch.no_grad():
        expected = layer(x)
        for position in range(H * W):
            row, column = divmod(position, W)
            seen = x.clone()
            seen.flatten(2)[:, :, position:] = 0
            for _ in range(2):  # the same position twice, as with ordered colors
                stream = Stream(position, memory, in_place=in_place)
                found = layer(seen if shift else x[:, :, row, column], stream)
                memory = stream.memory
            if row % stride == 0 and column % stride == 0:
                torch.testing.assert_close(found, expected[:, :, row // stride, column // stride])


def test_steps_leave_the_memory_that_they_got_alone():
    layer, x = made(DownRightShiftedConv2d, (2, 2), 1, 0), torch.randn(2, 2, H, W).double()
    first = Stream(0)
    layer(x[:, :, 0, 0], first)
    before = first.memory[0][0].clone()
    layer(x[:, :, 0, 1], Stream(1, first.memory))
    assert torch.equal(first.memory[0][0], before)


def test_errors():
    with pytest.raises(ValueError, match="`kernel` must have an odd number of columns"):
        DownShiftedConv2d(1, 1, (2, 2))
    with pytest.raises(ValueError, match="must have stride 1; got 2"):
        DownRightShiftedConv2d(1, 1, 4, stride=2, shift=1)
    with pytest.raises(ValueError, match="must be positive, `shift` not negative"):
        DownShiftedConv2d(1, 1, shift=-1)


def test_between_strides_a_stream_gives_what_it_gave_last():
    torch.manual_seed(0)
    layer, x = DownRightShiftedConv2d(2, 3, width=4, stride=2), torch.randn(1, 2, 4, 4)
    memory, found = None, []
    for position in range(16):
        stream = Stream(position, memory)
        found.append(layer(x[:, :, position // 4, position % 4], stream))
        memory = stream.memory
    for position in (1, 3, 4, 5, 7, 9, 13):
        assert torch.equal(found[position], found[position - 1])
