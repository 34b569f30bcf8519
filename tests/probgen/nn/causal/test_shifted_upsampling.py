"""Upsampling: the formula on sides that divide and that do not, in streams too; coarse streams inside of fine ones."""

import pytest
import torch
from torch import nn

from probgen.nn.causal import DownRightShiftedUpsampling, DownShiftedUpsampling, Stream, at_coarse_pixels

SIZES = [((4, 6), 2), ((5, 7), 2), ((5, 7), 3), ((1, 2), 2), ((3, 1), 2), ((4, 3), 1)]


def made(kind, size, stride):
    torch.manual_seed(0)
    layer = kind(2, 3, size, stride=stride).double()
    nn.init.normal_(layer.bias)
    x = torch.randn(2, 2, -(-size[0] // stride), -(-size[1] // stride)).double()
    return layer, x


@pytest.mark.parametrize(("size", "stride"), SIZES)
def test_down_shifted_is_its_formula(size, stride):
    layer, x = made(DownShiftedUpsampling, size, stride)
    weight, y = layer.weight(), layer(x)
    assert y.shape == (2, 3, *size)
    for i in range(size[0]):
        for j in range(size[1]):
            expected = layer.bias.expand(2, 3)
            for d in range(1 - stride, stride):
                column, rest = divmod(j - d, stride)
                if rest == 0 and 0 <= column < x.shape[3]:
                    expected = expected + x[:, :, i // stride, column] @ weight[:, :, i % stride, d + stride - 1].T
            torch.testing.assert_close(y[:, :, i, j], expected)


@pytest.mark.parametrize(("size", "stride"), SIZES)
def test_down_right_shifted_is_its_formula(size, stride):
    layer, x = made(DownRightShiftedUpsampling, size, stride)
    weight, y = layer.weight(), layer(x)
    assert y.shape == (2, 3, *size)
    for i in range(size[0]):
        for j in range(size[1]):
            expected = x[:, :, i // stride, j // stride] @ weight[:, :, i % stride, j % stride].T + layer.bias
            torch.testing.assert_close(y[:, :, i, j], expected)


@pytest.mark.parametrize(("size", "stride"), SIZES)
def test_streams_give_the_same(size, stride):
    rows, x = made(DownShiftedUpsampling, size, stride)
    pixels, _ = made(DownRightShiftedUpsampling, size, stride)
    by_row, by_pixel = rows(x), pixels(x)
    for i in range(size[0]):
        torch.testing.assert_close(rows(x[:, :, i // stride], Stream(i)), by_row[:, :, i])
        for j in range(size[1]):
            found = pixels(x[:, :, i // stride, j // stride], Stream(i * size[1] + j))
            torch.testing.assert_close(found, by_pixel[:, :, i, j])


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize(("size", "stride"), SIZES)
def test_a_coarse_pixel_is_computed_once_and_read_by_its_block(size, stride, in_place):
    height, width = size
    memory, calls, kept = None, [], []

    def run(coarse):
        calls.append(coarse.position)
        count = coarse.update(lambda: torch.zeros(1), lambda total: (total + 1, total + 1))
        return torch.stack([count, torch.tensor([float(coarse.position)])], 1)

    for position in range(height * width):
        stream = Stream(position, memory, in_place=in_place)
        found = at_coarse_pixels(stream, width, stride, run)
        memory = stream.memory
        row, column = divmod(position, width)
        coarse = row // stride * -(-width // stride) + column // stride
        assert found.tolist() == [[coarse + 1.0, float(coarse)]]
        kept.append(memory)
    assert calls == list(range(-(-height // stride) * -(-width // stride)))
    if not in_place and len(kept) > 1:  # an older memory is as it was
        again = Stream(1, kept[0])
        assert at_coarse_pixels(again, width, stride, run).shape == (1, 2)
        assert float(kept[0][0][1][0, 0, 1]) == 0.0


def test_without_a_stream_the_whole_coarse_image_is_asked_for():
    assert at_coarse_pixels(None, 4, 2, lambda stream: torch.zeros(1, 2, 3, 3) if stream is None else None).shape[-1] == 3
