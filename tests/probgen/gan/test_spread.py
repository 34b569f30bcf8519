"""The energy score and the diversity of draws, against direct sums and closed forms."""

import itertools
import math

import pyro.distributions as dist
import pytest
import torch

from probgen.gan import conditional_diversity, energy_score


@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_energy_score_is_the_double_sum(number):
    torch.manual_seed(0)
    draws, target = torch.randn(number, 4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
    pairs = [(draws[i] - draws[j]).abs() for i, j in itertools.permutations(range(number), 2)]
    wanted = (draws - target).abs().mean(0) - (sum(pairs) / (2 * number * (number - 1)) if pairs else 0.0)
    torch.testing.assert_close(energy_score(draws, target), wanted)


@pytest.mark.statistical(false_alarm=1e-9)
def test_energy_score_is_proper_where_the_distance_is_not():
    """For targets N(0, 1) the score is lower with draws N(0, 1) than with draws 0; the distance says the opposite."""
    torch.manual_seed(0)
    target, draws = torch.randn(100_000, dtype=torch.float64), torch.randn(2, 100_000, dtype=torch.float64)
    gap = energy_score(draws, target) - energy_score(torch.zeros_like(draws), target)
    exact = 1 / math.sqrt(math.pi) - math.sqrt(2 / math.pi)  # E|Y - y| - E|Y - Y'|/2 = 1/sqrt(pi), against E|y|
    assert abs(float(gap.mean()) - exact) < 6.2 * float(gap.std()) / math.sqrt(100_000)
    assert exact < 0 < float(((draws - target).abs().mean(0) - target.abs()).mean())


def test_energy_score_has_the_gradient_of_its_terms():
    draws = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: energy_score(y, torch.tensor(0.1, dtype=torch.float64)), draws)


@pytest.mark.statistical(false_alarm=1e-9)
def test_diversity_of_normal_draws():
    """E|Y - Y'| = 2 s / sqrt(pi); detects a deviation of 2 %."""
    torch.manual_seed(0)
    law = dist.Normal(torch.zeros(2, 10_000), torch.tensor([[1.0], [3.0]])).to_event(1)
    found = conditional_diversity(law, 4)
    assert found.shape == (2,)
    torch.testing.assert_close(found, torch.tensor([2.0, 6.0]) / math.sqrt(math.pi), rtol=0.03, atol=0.0)


def test_a_function_has_no_diversity_and_one_draw_shows_none():
    assert conditional_diversity(dist.Delta(torch.ones(3, 2)).to_event(1)).tolist() == [0.0, 0.0, 0.0]
    assert conditional_diversity(dist.Delta(torch.ones(3))).shape == (3,)
    with pytest.raises(ValueError, match="`num_draws`"):
        conditional_diversity(dist.Delta(torch.ones(3)), 1)
