"""A network with a parallel pass only: drawn from by running it again."""

import pytest
import torch

from probgen.distributions import Autoregressive, OneHotEmbedding
from probgen.distributions.elements import BernoulliElement, CategoricalElement
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.nn import MADE
from probgen.nn.causal import RecomputingNetwork


@pytest.mark.parametrize(("num_inputs", "context"), [(1, 0), (3, 0), (1, 2)])
def test_it_keeps_the_laws_of_incremental_networks(num_inputs, context):
    torch.manual_seed(0)
    made = MADE(4, 2, num_inputs=num_inputs, hidden=(12,), order=(2, 0, 3, 1), context_features=context).double()
    shape = (context,) if context else None
    network = RecomputingNetwork(made, 4, 2, num_inputs=num_inputs, order=(2, 0, 3, 1), context_shape=shape)
    first, second = torch.randn(2, 5, 4 * num_inputs).double()
    given = torch.randn(5, context).double() if context else None
    incremental_matches_parallel(network, first, given, tolerance=1e-12)
    levels_are_parallel(network, first, given)
    states_do_not_mix(network, first, second, given)


def test_it_draws_what_the_network_draws():
    made = MADE(4, 1, hidden=(8,))
    draws = []
    for network in (made, RecomputingNetwork(made, 4, 1)):
        torch.manual_seed(0)
        draws.append(Autoregressive(network, (2, 2), BernoulliElement()).sample((50,)))
    assert torch.equal(*draws)
    codes = RecomputingNetwork(MADE(3, 4, num_inputs=4, hidden=(8,)), 3, 4, num_inputs=4)
    assert Autoregressive(codes, (3,), CategoricalElement(4), embedding=OneHotEmbedding(4)).sample((5,)).shape == (5, 3)


def test_an_order_is_a_permutation():
    with pytest.raises(ValueError, match="`order` must be a permutation of 0 to 3"):
        RecomputingNetwork(MADE(4, 1, hidden=(8,)), 4, 1, order=(0, 1, 2, 2))
