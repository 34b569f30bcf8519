import pytest
import torch
import torch.nn.functional as F

from probgen.nn.flows import GridContext
from probgen.nn.flows.grid_context import _blocks


def test_a_finer_image_is_seen_whole_as_by_a_strided_convolution():
    torch.manual_seed(0)
    layer, image = GridContext((3, 8, 4), 5, (4, 4)), torch.randn(2, 3, 8, 4)
    weight = layer.bias.linear.weight.reshape(5, 3, 2, 1)
    assert torch.allclose(layer(image), F.conv2d(image, weight, stride=(2, 1)), atol=1e-6)


def test_a_coarser_image_is_repeated():
    torch.manual_seed(0)
    layer, image = GridContext((1, 2, 2), 4, (4, 2)), torch.randn(2, 1, 2, 2)
    seen = layer(image)
    assert seen.shape == (2, 4, 4, 2)
    assert torch.equal(seen[:, :, 0], seen[:, :, 1])
    assert torch.allclose(seen[:, :, ::2], F.conv2d(image, layer.bias.linear.weight[:, :, None, None]), atol=1e-6)


def test_a_vector_adds_the_same_everywhere():
    layer = GridContext((2, 3), 4, (8, 8))
    assert layer(torch.ones(5, 2, 3)).shape == (5, 4, 1, 1)
    assert layer.bias.linear.in_features == 6


def test_sizes_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"`context_shape` must have sizes that divide the grid \(4, 4\).*got \(1, 6, 4\)"):
        GridContext((1, 6, 4), 2, (4, 4))


def test_blocks_stand_in_the_order_of_space_to_depth():
    x = torch.arange(48.0).reshape(1, 3, 4, 4)
    assert torch.equal(_blocks(x, (2, 2)), torch.nn.functional.pixel_unshuffle(x, 2))
