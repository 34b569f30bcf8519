"""DilatedConditioner: starts at zero, looks both ways as far as it says, takes frames and vectors."""

import pytest
import torch

from probgen.distributions._checks import ContextError
from probgen.nn.flows import DilatedConditioner


def _started(**options):
    torch.manual_seed(0)
    network = DilatedConditioner(2, 4, channels=8, **options)
    torch.nn.init.normal_(network.output.weight)
    return network


def test_starts_at_zero():
    network = DilatedConditioner(2, 4, channels=8, layers=2, context_shape=(3,))
    assert torch.equal(network(torch.randn(5, 2, 9), torch.randn(5, 3)), torch.zeros(5, 4, 9))


def test_looks_both_ways_within_its_receptive_field():
    network = _started(layers=3)
    x = torch.randn(1, 2, 41, requires_grad=True)
    network(x)[0, :, 20].sum().backward()
    seen = x.grad.abs().sum((0, 1)).nonzero().flatten().tolist()
    reach = (network.receptive_field - 1) // 2
    assert network.receptive_field == 15
    assert seen == list(range(20 - reach, 20 + reach + 1))


def test_a_frame_is_seen_at_its_position_and_a_vector_everywhere():
    network = _started(layers=1, context_shape=(3, 9))
    x, context = torch.randn(2, 2, 9), torch.randn(2, 3, 9)
    moved = context.clone()
    moved[:, :, 4] += 1.0
    changed = (network(x, moved) - network(x, context)).abs().sum((0, 1)) > 0
    assert changed.nonzero().flatten().tolist() == [4]
    vector = _started(layers=1, context_shape=(3,))
    told = vector(x, context[:, :, 0])
    assert told.shape == (2, 4, 9)
    assert ((vector(x, moved[:, :, 4]) - told).abs().sum((0, 1)) > 0).all()


def test_refuses_other_contexts():
    with pytest.raises(ValueError, match="must be"):
        DilatedConditioner(2, 4, context_shape=(1, 2, 3))


def test_a_context_is_asked_for_where_it_was_declared():
    network = DilatedConditioner(1, 1, channels=4, layers=2, context_shape=(3, 8))
    with pytest.raises(ContextError, match=r"DilatedConditioner needs a context with trailing shape \(3, 8\); got None"):
        network(torch.zeros(2, 1, 8))
    with pytest.raises(ContextError, match=r"trailing shape \(3, 8\); got shape \(2, 3, 5\)"):
        network(torch.zeros(2, 1, 8), torch.zeros(2, 3, 5))
    assert network(torch.zeros(2, 1, 8), torch.ones(2, 3, 8).long()).shape == (2, 1, 8)
