"""Contexts: a vector for all positions, or features of each."""

import pytest
import torch

from probgen.nn.causal import ContextBias, Stream

CASES = {"vector": ((5,), (4, 3)), "matrix": ((2, 3), (4, 3)), "image": ((2, 4, 3), (4, 3)), "sequence": ((2, 7), (7,))}
VECTORS = {"short": ((2, 3), (7,)), "one row": ((3, 1), (1,)), "one pixel": ((3, 1, 1), (1, 1))}


@pytest.mark.parametrize(("shape", "grid"), [*CASES.values(), *VECTORS.values()], ids=[*CASES, *VECTORS])
def test_a_position_gets_what_it_gets_in_the_parallel_pass(shape, grid):
    torch.manual_seed(0)
    layer, context = ContextBias(shape, 6, grid).double(), torch.randn(5, *shape).double()
    sizes = (9,) if grid == (1,) else (3, 4) if grid == (1, 1) else grid  # ones take any number of positions
    everywhere, memory = layer(context).expand(5, 6, *sizes).flatten(2), None
    for position in range(everywhere.shape[-1]):
        stream = Stream(position, memory)
        torch.testing.assert_close(layer(context, stream), everywhere[..., position])
        memory = stream.memory


def test_an_image_acts_pixel_by_pixel():
    layer = ContextBias((2, 4, 3), 6, (4, 3))
    assert layer.spatial
    one = torch.zeros(1, 2, 4, 3)
    one[0, 0, 2, 1] = 1
    changed = layer(one).abs().sum(1)[0]
    assert changed[2, 1] > 0
    assert changed.count_nonzero() == 1
    assert not ContextBias((2, 3, 4), 6, (4, 3)).spatial  # of another size: a vector


def test_a_vector_is_mapped_once_a_sequence():
    torch.manual_seed(0)
    layer, context, first = ContextBias((2, 2), 3, (9,)), torch.randn(4, 2, 2), Stream(0)
    expected = layer(context, first)
    torch.testing.assert_close(layer(context).squeeze(-1), expected)
    torch.testing.assert_close(layer(torch.full_like(context, torch.nan), Stream(1, first.memory)), expected)


@pytest.mark.parametrize("shape", [(5,), (2, 4, 3)])
def test_rows_are_those_of_the_parallel_pass(shape):
    torch.manual_seed(0)
    layer, context = ContextBias(shape, 6, (4, 3)).double(), torch.randn(5, *shape).double()
    rows = torch.stack([layer.row(context, row).mT.expand(5, 6, 3) for row in range(4)], 2)
    torch.testing.assert_close(rows, layer(context).expand(5, 6, 4, 3))
