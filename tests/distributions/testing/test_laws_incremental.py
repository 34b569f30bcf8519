"""The laws of incremental evaluation catch networks that break them (that good ones pass is in ``test_incremental.py``)."""

import pytest
import torch

from probgen.distributions.bijectors import Affine, MaskedAutoregressive
from probgen.distributions.testing import (
    LawViolation,
    check_bijector,
    incremental_matches_parallel,
    levels_are_parallel,
    states_do_not_mix,
)
from probgen.nn import MADE
from probgen.nn.causal import RecomputingNetwork


class Leaking(MADE):
    def forward(self, values, context=None):
        return super().forward(values, context) + values.sum(-1)[..., None, None]


class Forgetful(MADE):
    """Keeps what it has seen on the module."""

    def step(self, state, values):
        self.kept = getattr(self, "kept", torch.zeros(())) + values.sum()
        state, params = super().step(state, values)
        return state, params + self.kept


class Overwriting(RecomputingNetwork):
    """Writes what it sees into the state that it was given."""

    def step(self, state, values):
        seen, _context, level = state
        seen[..., level : level + 1] = values
        _state, params = super().step(state, values)
        return (seen, None, level + 1), params


class Writing(MADE):
    """Moves a parameter while sweeping."""

    def sweep(self, draw, batch_shape, context=None):
        super().sweep(draw, batch_shape, context)
        with torch.no_grad():
            self.layers[0].bias += 1.0


@pytest.mark.parametrize(
    ("network", "law"),
    [
        (Leaking, levels_are_parallel),
        (Leaking, incremental_matches_parallel),
        (Writing, incremental_matches_parallel),
    ],
)
def test_broken_networks_are_caught(network, law):
    with pytest.raises(LawViolation, match=law.__name__):
        law(network(3, 2, hidden=(8,)), torch.randn(4, 3))


def test_state_on_the_module_is_caught():
    with pytest.raises(LawViolation, match="states_do_not_mix"):
        states_do_not_mix(Forgetful(3, 2, hidden=(8,)), torch.randn(4, 3), torch.randn(4, 3))


def test_a_step_that_writes_into_its_state_is_caught():
    with pytest.raises(LawViolation, match="states_do_not_mix"):
        states_do_not_mix(Overwriting(MADE(3, 2, hidden=(8,)), 3, 2), torch.randn(4, 3), torch.randn(4, 3))


def test_levels_that_are_no_partition_are_caught():
    class Wrong(MADE):
        levels = ((0,), (0, 1))

    with pytest.raises(LawViolation, match="partition"):
        levels_are_parallel(Wrong(3, 2, hidden=(8,)), torch.randn(4, 3))


@pytest.mark.parametrize("network", [MADE, Leaking, Forgetful])
def test_the_law_looks_inside_bijectors(network):
    report = check_bijector(
        lambda: MaskedAutoregressive(Affine(), network(3, 2, hidden=(8,))),
        (3,),
        laws=("steps_equal_the_parallel_pass",),
        strict=False,
    )
    assert report.passed == (network is MADE)
