"""Compiled steps: the same numbers, from weights as they are now, recorded once for each shape."""

import copy
import pickle

import pytest
import torch
from torch.distributions import Distribution

from probgen.distributions import Autoregressive
from probgen.distributions.elements import CategoricalElement
from probgen.distributions.testing import incremental_matches_parallel
from probgen.nn import CompiledSteps, WaveNet
from probgen.nn.causal import CausalNetwork

KINDS = {
    "plain": {},
    "three taps": {"kernel_size": 3},
    "global context": {"context_shape": (2,)},
    "both contexts": {"context_shape": (2,), "local_shape": (2, 3)},
}


def recorded(graph, _inputs):
    return graph


def small(**options):
    torch.manual_seed(0)
    return WaveNet(9, values=5, dilations=2, channels=4, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("batch", [(), (3,), (2, 2), (0,)])
def test_a_compiled_sweep_is_the_parallel_pass(kind, batch):
    network = CompiledSteps(small(**KINDS[kind]).double(), backend=recorded)
    values = torch.randint(0, 5, (*batch, 9)).double()
    context = None if network.context_shape is None else torch.randn(*batch, *network.context_shape).double()
    incremental_matches_parallel(network, values, context, tolerance=1e-12)
    assert network.recordings == (0 if 0 in batch else 1)


def swept(network, codes, context=None):
    seen = []

    def draw(start, stop, params):
        seen.append(params)
        return codes[:, start:stop]

    with torch.no_grad():
        network.sweep(draw, codes.shape[:1], context)
    return torch.cat(seen, 1)


def test_nothing_stale_is_used():
    network = small()
    fast = CompiledSteps(network, backend=recorded)
    codes = torch.randint(0, 5, (3, 9)).float()
    swept(fast, codes)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    torch.testing.assert_close(swept(fast, codes), network(codes))
    network.entry.table.weight = torch.nn.Parameter(torch.randn(5, 4))
    torch.testing.assert_close(swept(fast, codes), network(codes))
    assert fast.recordings == 1
    torch.testing.assert_close(swept(fast, codes[:2]), network(codes[:2]))
    network.double()
    torch.testing.assert_close(swept(fast, codes.double()), network(codes.double()))
    network.head[1] = torch.nn.Tanh()
    torch.testing.assert_close(swept(fast, codes.double()), network(codes.double()))
    assert fast.recordings == 4


def test_draws_are_those_of_the_network():
    network = small()
    for taken in (network, CompiledSteps(network, backend=recorded)):
        torch.manual_seed(1)
        law = Autoregressive(taken, (9,), CategoricalElement(5))
        draws = law.sample((4,))
        assert law.log_prob(draws).shape == (4,)
        if taken is network:
            expected = draws
    assert torch.equal(draws, expected)


def test_copies_start_without_recordings():
    fast = CompiledSteps(small(), backend=recorded)
    codes = torch.randint(0, 5, (3, 9)).float()
    swept(fast, codes)
    for other in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        assert other.recordings == 0
        assert torch.equal(swept(other, codes), swept(fast, codes))


def test_a_network_that_needs_numbers_is_refused():
    with pytest.raises(TypeError, match="must accept tensor positions, as WaveNet does; CausalNetwork does not"):
        CompiledSteps(CausalNetwork((4,), 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*script_method.* is deprecated:DeprecationWarning")  # torch, on import of inductor
def test_inductor_gives_the_same_and_leaves_validation_alone():
    before, network = Distribution._validate_args, small(context_shape=(2,), local_shape=(1, 2))
    fast, codes, context = CompiledSteps(network), torch.randint(0, 5, (3, 9)).float(), torch.randn(3, 4)
    incremental_matches_parallel(fast, codes, context)
    assert fast.recordings == 1
    assert Distribution._validate_args is before


def test_training_and_evaluation_have_recordings_of_their_own():
    fast, codes = CompiledSteps(small(), backend=recorded), torch.zeros(3, 9)
    for mode in (True, False, True):
        swept(fast.train(mode), codes)
    assert fast.recordings == 2


def test_each_sweep_is_told_its_own_context():
    network, codes = small(context_shape=(2,)), torch.zeros(3, 9)
    fast = CompiledSteps(network, backend=recorded)
    for context in torch.randn(2, 3, 2):
        torch.testing.assert_close(swept(fast, codes, context), network(codes, context))
    assert fast.recordings == 1
