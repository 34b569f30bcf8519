"""The vertical stack: rows above, all columns; a row at a time it remembers as many rows as its kernel has."""

import pytest
import torch
import torch.nn.functional as F

from probgen.nn.causal import Stream, VerticalConv2d
from probgen.nn.causal.kernel_rows import canvas_rows, initialize_causal, kernel_matrix, row_patches, seen_rows


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("size", [(3, 3), (5, 3), (3, 1)])
def test_it_is_a_convolution_with_the_upper_half_of_a_kernel(strict, size):
    torch.manual_seed(0)
    layer = VerticalConv2d(2, 4, size, strict=strict).double()
    kernel = torch.zeros(4, 2, *size).double()
    kernel[:, :, : layer.weight.shape[2]] = layer.weight.detach()
    x = torch.randn(3, 2, 5, 4).double()
    expected = F.conv2d(x, kernel, layer.bias, padding=(size[0] // 2, size[1] // 2))
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
def test_a_row_is_the_parallel_pass_in_that_row_also_when_it_is_asked_twice(strict, in_place):
    torch.manual_seed(0)
    layer = VerticalConv2d(2, 3, (5, 3), strict=strict).double()
    x, memory = torch.randn(3, 2, 6, 4).double(), None
    expected = layer(x)
    with torch.no_grad():
        for row in range(6):
            for _ in range(2):
                stream = Stream(row, memory, in_place=in_place)
                found = layer(x if strict else x[:, :, row].mT, stream)
                memory = stream.memory
                torch.testing.assert_close(found.mT, expected[:, :, row])


def test_a_row_of_patches_times_the_kernel_is_the_convolution():
    torch.manual_seed(0)
    x, weight = torch.randn(2, 3, 4, 5), torch.randn(6, 3, 2, 3)
    found = row_patches(canvas_rows(x, 3, 2, 1), 3) @ kernel_matrix(weight)
    torch.testing.assert_close(found.mT, F.conv2d(F.pad(x, (1, 1, 0, 0)), weight)[:, :, 1])
    assert seen_rows(torch.zeros(2, 3, 5, 1), 0, 2).shape == (2, 2, 5, 1)


def test_initial_weights_count_what_the_mask_leaves():
    torch.manual_seed(0)
    weight, mask = torch.nn.Parameter(torch.empty(2, 500, 1, 1)), torch.zeros(2, 500, 1, 1)
    mask[0, :50] = 1
    initialize_causal(weight, None, mask, 1.0)
    assert 0.9 < (50 * weight[0].var()).item() < 1.1  # the second output sees nothing; its weights only have to be finite
    assert weight.isfinite().all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="`kernel_size` must be odd"):
        VerticalConv2d(1, 1, 4)
    with pytest.raises(ValueError, match="of a height above 1 if `strict`"):
        VerticalConv2d(1, 1, (1, 3), strict=True)
