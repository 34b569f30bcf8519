"""Sweeps of a transformer: the same as its blocks, whatever the weights, in memory that is written in place."""

import pytest
import torch

from probgen.nn.causal import CausalTransformer, Stream
from probgen.nn.causal.block_sweep import BlockParts, BlockSweep
from tests.probgen.nn.causal.sweeps import swept

KINDS = {
    "image": {"grid": (3, 4)},
    "codes, tied": {"values": 2, "num_outputs": 2, "tied": True},
    "context": {"context_shape": (3,)},
    "cross attention": {"context_shape": (3, 5), "cross_attention": True},
    "rotary": {"positions": "rotary"},
    "many heads": {"heads": 8},
}


def small(**options):
    torch.manual_seed(0)
    sizes = {"grid": (7,), "num_outputs": 1, "width": 16, "depth": 2, "heads": 2, **options}
    network = CausalTransformer(sizes.pop("grid"), sizes.pop("num_outputs"), **sizes)
    for parameter in network.parameters():  # biases, scales and shifts as after training
        torch.nn.init.normal_(parameter, std=0.3)
    return network.double()


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_parallel_pass(kind):
    network = small(**KINDS[kind])
    values = torch.rand(3, network.features).round().double()
    context = None if network.context_shape is None else torch.randn(3, *network.context_shape).double()
    with torch.no_grad():
        torch.testing.assert_close(swept(network, values, context), network(values, context), atol=1e-11, rtol=0)


def test_one_table_is_written_in_place():
    network, canvas = small(), torch.zeros(2, 1, 7).double()
    parts = network.blocks[0].parts()
    assert isinstance(parts, BlockParts)
    with torch.no_grad():
        first = Stream(0, in_place=True)
        network._run(canvas, None, first)
        second = Stream(1, first.memory, in_place=True)
        network._run(canvas, None, second)
    (sweep,) = second.memory
    assert isinstance(sweep, BlockSweep)
    assert sweep is first.memory[0]
    assert sweep.tables.shape == (2, 2, 1, 7, 16)
    assert (sweep.tables[:, :, 0, :2] != 0).all()
    assert (sweep.tables[:, :, 0, 2:] == 0).all()


def test_dropout_runs_the_blocks_themselves():
    network, values = small(dropout=0.5), torch.zeros(2, 7).double()
    with torch.no_grad():
        assert not torch.equal(swept(network, values), swept(network, values))
        network.eval()
        assert torch.equal(swept(network, values), swept(network, values))
