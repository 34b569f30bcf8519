"""Sums of networks: at once and in steps the sum of the terms; terms that do not fit are refused."""

import pytest
import torch
from torch import nn

from probgen.distributions._checks import ContextError
from probgen.distributions.testing import incremental_matches_parallel, levels_are_parallel, states_do_not_mix
from probgen.infer import load, save
from probgen.nn import MADE, NetworkSum


def two(order=None, context=0):
    torch.manual_seed(0)
    return NetworkSum(
        MADE(4, 2, hidden=(8,), order=order, context_features=context, activation=nn.Tanh),
        MADE(4, 2, hidden=(12, 12), order=order, activation=nn.Tanh),
    ).double()


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,)])
@pytest.mark.parametrize("context", [0, 3])
def test_steps_and_the_parallel_pass_agree(batch, context):
    network = two((2, 0, 3, 1), context)
    values, other = torch.randn(2, *batch, 4).double()
    given = torch.randn(*batch, 3).double() if context else None
    incremental_matches_parallel(network, values, given, tolerance=1e-12)
    levels_are_parallel(network, values, given)
    states_do_not_mix(network, values, other, given)


def test_it_is_the_sum_and_a_context_reaches_the_terms_that_take_one():
    network, values, context = two(context=3), torch.randn(5, 4).double(), torch.randn(5, 3).double()
    first, second = network.networks
    torch.testing.assert_close(network(values, context), first(values, context) + second(values))
    with pytest.raises(ContextError):
        network(values)
    with pytest.raises(ContextError):
        two()(values, context)


def test_it_can_be_saved(tmp_path):
    network, values = two(), torch.randn(5, 4).double()
    save(network, tmp_path / "sum.safetensors")
    torch.testing.assert_close(load(tmp_path / "sum.safetensors")(values), network(values), rtol=0, atol=0)


def test_terms_must_agree():
    with pytest.raises(ValueError, match="at least one network"):
        NetworkSum()
    with pytest.raises(ValueError, match=r"agree in `num_outputs`; got \[1, 2\]"):
        NetworkSum(MADE(3, 1), MADE(3, 2))
    with pytest.raises(ValueError, match="agree in `levels`"):
        NetworkSum(MADE(3, 1), MADE(3, 1, order=(2, 1, 0)))
    with pytest.raises(ValueError, match=r"one context; got the shapes \['\(1,\)', '\(2,\)'\]"):
        NetworkSum(MADE(3, 1, context_features=1), MADE(3, 1, context_features=2))
