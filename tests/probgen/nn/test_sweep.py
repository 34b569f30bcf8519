"""The two sweeps: when buffers may be written, and that both use every weight as the parallel pass does."""

import pytest
import torch

from probgen.nn import MADE
from probgen.nn._sweep import BLOCK, may_write_in_place


def test_buffers_are_written_only_where_nothing_records():
    like = torch.zeros(1)
    assert not may_write_in_place(like)
    with torch.no_grad():
        assert may_write_in_place(like)
        with torch.autograd.forward_ad.dual_level():
            assert not may_write_in_place(like)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert not may_write_in_place(like)
        assert not torch.func.vmap(lambda v: v * may_write_in_place(like))(torch.ones(2)).any()


@pytest.mark.parametrize("activation", [torch.nn.ReLU, torch.nn.SiLU])
def test_blocks_use_everything_before_them(activation):
    network = MADE(3 * BLOCK + 1, 2, hidden=(60, 70), activation=activation).double()
    values = torch.randn(5, network.features, dtype=torch.float64)
    expected, found = network(values), []

    def draw(start, stop, params):
        found.append(params.clone())
        return values[:, start:stop]

    with torch.no_grad():
        network.sweep(draw, (5,))
    assert torch.allclose(torch.cat(found, 1), expected, atol=1e-12)
