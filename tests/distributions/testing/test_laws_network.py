"""Every fault planted into a network is found by the law that speaks of it, and nothing is found without a fault."""

import pytest
import torch

from probgen.distributions.testing import NETWORK_LAWS, LawViolation, check_network
from probgen.distributions.testing.laws_network import cached_equals_full, forced
from probgen.nn import MADE
from tests.distributions.testing.planted.networks import Colors, Rows, Sequence, masked_stack

QUICK = [law.name for law in NETWORK_LAWS if not law.slow]

FAULTS = {
    "mask B in the first layer": (lambda: masked_stack("B"), "parameters_see_only_earlier_positions"),
    "missing shift": (lambda: Sequence("no shift"), "parameters_see_only_earlier_positions"),
    "norm over positions": (lambda: Sequence("norm over positions"), "parameters_see_only_earlier_positions"),
    "attention without mask at one head": (lambda: Sequence("unmasked head"), "parameters_see_only_earlier_positions"),
    "colors in the wrong order": (lambda: Colors("colors reversed"), "parameters_see_only_earlier_positions"),
    "ring shorter than the kernel": (lambda: Sequence("short ring"), "cached_equals_full"),
    "state not reset between rows": (lambda: Rows("rows run on"), "cached_equals_full"),
    "buffer in the module": (lambda: Sequence("shared buffer"), "streams_do_not_mix"),
    "buffer left in the module": (lambda: Sequence("shared buffer"), "evaluation_leaves_no_trace"),
    "dropout in evaluation": (lambda: Sequence("dropout in evaluation"), "evaluation_is_deterministic"),
}


@pytest.mark.parametrize("make", [Sequence, Rows, Colors, masked_stack])
def test_networks_without_a_fault_pass(make):
    assert check_network(make, laws=QUICK, profile="default").passed


@pytest.mark.parametrize("fault", FAULTS)
def test_every_planted_fault_is_found_by_its_law(fault):
    make, law = FAULTS[fault]
    assert check_network(make, laws=[law], profile="default", strict=False).violated_laws == {law}


def test_a_short_ring_leaves_the_parallel_pass_causal():
    make = FAULTS["ring shorter than the kernel"][0]
    assert check_network(make, laws=["parameters_see_only_earlier_positions", "evaluation_is_deterministic"]).passed


def test_a_state_that_is_no_batch_is_found():
    class Lone(MADE):
        def init_state(self, batch_shape, context=None):
            state, params = super().init_state(batch_shape, context)
            return (state, torch.zeros(7)), params

        def step(self, state, values):
            inner, params = super().step(state[0], values)
            return (inner, state[1]), params

    report = check_network(lambda: Lone(3, 2, hidden=(8,)), laws=["states_are_batched_and_fork"], strict=False)
    assert report.violated_laws == {"states_are_batched_and_fork"}


def test_the_parameters_along_a_forced_row_are_those_of_the_parallel_pass():
    network, values = MADE(4, 2, hidden=(8,)).double(), torch.randn(3, 4).double()
    torch.testing.assert_close(forced(network, values, None, network.levels), network(values))


def test_the_check_reports_and_raises():
    with pytest.raises(AssertionError, match="cached_equals_full"):
        check_network(Sequence("short ring"), laws=[cached_equals_full.name])
    with pytest.raises(KeyError, match="no law called 'other'"):
        check_network(Sequence, laws=["other"])
    assert issubclass(LawViolation, AssertionError)
