"""Regimes move what they should by as much as they should, and nothing else."""

import torch
from torch import nn

from probgen.distributions.bijectors import Affine, Exp
from probgen.distributions.testing import REGIMES, Regime
from probgen.distributions.testing.regimes import has_parameters


def test_network_noise_is_scaled_by_the_fan_in():
    layer = nn.Linear(400, 100)
    moved = REGIMES["strong"].apply(layer)
    noise = moved.weight - layer.weight
    assert abs(noise.std().item() - 1 / 20) < 0.002
    assert abs((moved.bias - layer.bias).std().item() - 1 / 20) < 0.015


def test_own_parameters_get_noise_of_their_own_size():
    moved = Regime("far", network=0.0, own=2.0).apply(Affine(shape=(10_000,)))
    assert abs(moved.raw_loc.std().item() - 2.0) < 0.1


def test_as_built_moves_nothing_and_the_original_is_left_alone():
    f = Affine(shape=(3,))
    assert torch.equal(REGIMES["as_built"].apply(f).raw_loc, f.raw_loc)
    REGIMES["strong"].apply(f)
    assert torch.equal(f.raw_loc, torch.zeros(3))
    assert has_parameters(f)
    assert not has_parameters(Exp())
