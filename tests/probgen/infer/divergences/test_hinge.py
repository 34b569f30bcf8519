"""The hinge game against total variation."""

import pytest
import torch

from probgen.infer import Hinge
from tests.probgen.infer.divergences.line import LOG_RATIO, expected_estimate


def test_best_loss_is_two_less_twice_the_total_variation():
    total_variation = expected_estimate(Hinge(), Hinge().best_output(LOG_RATIO))
    assert total_variation == pytest.approx(0.382925, abs=1e-6)
    assert 2 - 2 * total_variation == pytest.approx(1.23415015, abs=1e-8)


def test_right_outputs_beyond_the_margin_count_nothing():
    real = torch.tensor([1.5, 3.0], requires_grad=True)
    gradient = torch.autograd.grad(Hinge().critic_loss(real, -real), real)[0]
    assert torch.equal(gradient, torch.zeros(2))


def test_generator_is_linear():
    fake = torch.tensor([-50.0, 0.0, 50.0], requires_grad=True)
    assert torch.equal(torch.autograd.grad(Hinge().generator_loss(fake), fake)[0], torch.full((3,), -1 / 3))
