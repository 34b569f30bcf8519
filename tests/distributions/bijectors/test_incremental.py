"""The incremental protocol: steps agree with the parallel pass, levels are parallel, states are values."""

import pytest
import torch

from probgen.distributions.bijectors import IncrementalNetwork, fork
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn import MADE

GRAPH = torch.tensor([[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 0, 0, 0]]).bool()
NETWORKS = {
    "own order": lambda: MADE(5, 3, hidden=(16, 12)),
    "given order": lambda: MADE(5, 3, hidden=(16, 12), order=(3, 0, 4, 1, 2)),
    "graph": lambda: MADE(5, 2, hidden=(16, 12), adjacency=GRAPH),
    "residual": lambda: MADE(5, 2, hidden=(12, 12, 12), residual=True, seed=1),
    "context": lambda: MADE(5, 2, hidden=(16,), context_features=(2, 2), order=(4, 3, 2, 1, 0)),
    "one coordinate": lambda: MADE(1, 2, hidden=(4,)),
    "more levels than a block": lambda: MADE(40, 2, hidden=(64, 50)),
    "fewer units than levels": lambda: MADE(20, 2, hidden=(6, 5)),
}


def sample(network, *batch):
    values = torch.randn(*batch, network.features)
    return values, None if network.context_shape is None else torch.randn(*batch, *network.context_shape)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [(4,), (1,), (0,), (2, 3), ()], ids=str)
def test_steps_agree_with_the_parallel_pass(name, batch):
    network = NETWORKS[name]().double()
    values, context = (None if part is None else part.double() for part in sample(network, *batch))
    incremental_matches_parallel(network, values, context, tolerance=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_level_sees_only_levels_before_it(name):
    network = NETWORKS[name]()
    levels_are_parallel(network, *sample(network, 3))


@pytest.mark.parametrize("name", NETWORKS)
def test_interleaved_states_do_not_mix(name):
    network = NETWORKS[name]()
    first, context = sample(network, 3)
    states_do_not_mix(network, first, sample(network, 3)[0], context)


def test_a_law_that_is_broken_is_reported():
    class Peeking(MADE):
        def forward(self, values, context=None):
            return super().forward(values, context) + values.sum(-1)[..., None, None]

    network = Peeking(3, 2, hidden=(8,))
    with pytest.raises(AssertionError, match="incremental_matches_parallel"):
        incremental_matches_parallel(network, torch.randn(4, 3))
    with pytest.raises(AssertionError, match="levels_are_parallel"):
        levels_are_parallel(network, torch.randn(4, 3))


def test_forked_states_continue_as_their_parents():
    network = MADE(4, 2, hidden=(16, 16))
    values, index = torch.randn(3, 4), torch.tensor([2, 0, 2])
    state, _ = network.init_state((3,))
    state, _ = network.step(state, values[:, :1])
    forked, params = network.step(fork(state, index), values[index][:, 1:2])
    assert torch.allclose(params, network(values)[index][:, 2:3], atol=1e-6)
    assert state.values.shape == (3, 1)
    assert forked.values.shape == (3, 2)


def test_part_of_a_level_is_refused():
    network = MADE(5, 2, hidden=(8,), adjacency=GRAPH)
    state, _ = network.init_state((3,))
    with pytest.raises(ValueError, match="one whole level"):
        network.step(state, torch.zeros(3, 1))


def test_the_protocol_is_abstract():
    network = IncrementalNetwork()
    for call in (lambda: network.levels, lambda: network.init_state(()), lambda: network.step((), torch.zeros(1))):
        with pytest.raises(NotImplementedError):
            call()
