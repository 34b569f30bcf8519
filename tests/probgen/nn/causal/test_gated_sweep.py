"""The sweep of Gated PixelCNN: the same as its layers, in all their options, and written in place."""

import pytest
import torch

from probgen.nn import GatedPixelCNN
from probgen.nn.causal import Stream
from probgen.nn.causal.gated_sweep import GatedSweep, halved_links
from tests.probgen.nn.causal.sweeps import swept

KINDS = {
    "one layer": {"layers": 1},
    "wide": {"layers": 3, "kernel_size": 5, "first_kernel_size": 7},
    "one column": {"layers": 3, "kernel_size": 1},
    "ordered colors": {"image_shape": (2, 3, 3), "ordered_channels": True, "layers": 3},
    "features": {"context_shape": (2, 4, 5), "layers": 3},
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_the_parallel_pass(kind):
    torch.manual_seed(0)
    options = {"image_shape": (1, 4, 5), "channels": 6, "head_channels": 4, **KINDS[kind]}
    network = GatedPixelCNN(options.pop("image_shape"), 2, **options).double()
    values = torch.randn(3, network.features).double()
    context = None if network.context_shape is None else torch.randn(3, *network.context_shape).double()
    with torch.no_grad():
        torch.testing.assert_close(swept(network, values, context), network(values, context), atol=1e-12, rtol=0)


def test_nothing_is_allocated_anew():
    network = GatedPixelCNN((1, 4, 5), 1, layers=3, channels=6, head_channels=4)
    with torch.no_grad():
        first = Stream(0, in_place=True)
        network._run(torch.zeros(2, 1, 4, 5), None, first)
        second = Stream(1, first.memory, in_place=True)
        network._run(torch.zeros(2, 1, 4, 5), None, second)
    before, after = ([part for part in stream.memory if isinstance(part, GatedSweep)] for stream in (first, second))
    assert len(before) == 1
    assert before[0] is after[0]


def test_dropout_runs_the_layers_themselves():
    network = GatedPixelCNN((1, 3, 3), 1, layers=2, channels=6, head_channels=4, dropout=0.5)
    values = torch.ones(2, 9)
    with torch.no_grad():
        assert not torch.equal(swept(network, values), swept(network, values))
        network.eval()
        assert torch.equal(swept(network, values), swept(network, values))


def test_links_are_halved_where_gates_are():
    links = halved_links([torch.ones(2, 3, 4), 2 * torch.ones(2, 3, 4)])
    assert torch.equal(links[0, 0], torch.tensor([[1, 1, 0.5, 0.5], [2, 2, 1, 1]]))
