"""Contexts of images: a vector for all pixels, or features of each."""

import pytest
import torch

from probgen.nn.causal import PositionContext, Stream


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 4, 3)])
def test_a_pixel_gets_what_it_gets_in_the_parallel_pass(shape):
    torch.manual_seed(0)
    layer, context = PositionContext(shape, 6, (4, 3)).double(), torch.randn(5, *shape).double()
    everywhere, memory = layer(context).expand(5, 6, 4, 3).flatten(2), None
    for position in range(12):
        stream = Stream(position, memory)
        torch.testing.assert_close(layer(context, stream), everywhere[..., position])
        memory = stream.memory


def test_an_image_acts_pixel_by_pixel():
    layer = PositionContext((2, 4, 3), 6, (4, 3))
    assert layer.spatial
    one = torch.zeros(1, 2, 4, 3)
    one[0, 0, 2, 1] = 1
    changed = layer(one).abs().sum(1)[0]
    assert changed[2, 1] > 0
    assert changed.count_nonzero() == 1
    assert not PositionContext((2, 3, 4), 6, (4, 3)).spatial  # of another size: a vector
