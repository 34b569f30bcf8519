"""Amplification against closed forms; the layers of composed maps."""

import torch

from probgen.distributions.bijectors import Affine, Compose, Exp, Shift
from probgen.distributions.testing.conditioning import amplification, parameter_noise, steps


def test_layers_of_an_inverse_come_backwards():
    assert [name for name, *_ in steps(Compose(Affine(0.0, 2.0), Exp()))] == ["0 Affine", "1 Exp"]
    assert [name for name, *_ in steps(Compose(Affine(0.0, 2.0), Exp()).inv)] == ["1 Exp (inverse)", "0 Affine (inverse)"]


def test_far_shift_and_back_loses_what_it_must():
    there_and_back = Compose(Shift(1e6), Shift(-1e6)).double()
    kappa = amplification(there_and_back, torch.zeros(1, dtype=torch.float64))
    assert 1e6 < kappa.item() < 2e6


def test_steep_inverse_is_amplified():
    kappa = amplification(Exp().double().inv, torch.tensor([1e-8], dtype=torch.float64))
    assert torch.allclose(kappa, torch.tensor([1e8], dtype=torch.float64))


def test_noise_is_relative():
    f = Affine(torch.tensor([100.0]), torch.tensor([1.0]))
    moved = parameter_noise(f, 1e-3, seed=0)
    assert 0 < (moved.loc - f.loc).abs().item() < 1.0
