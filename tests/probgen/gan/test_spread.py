"""The energy score and the diversity of draws, against direct sums and closed forms."""

import itertools
import math

import pyro.distributions as dist
import pytest
import torch

from probgen.gan import conditional_diversity, energy_score


def root_mean_square(x, event_dim):
    return x.abs() if event_dim == 0 else x.square().flatten(x.dim() - event_dim).mean(-1).sqrt()


@pytest.mark.parametrize("event_dim", [0, 1, 2])
@pytest.mark.parametrize("number", [1, 2, 3, 7])
def test_energy_score_is_the_double_sum(number, event_dim):
    torch.manual_seed(0)
    draws, target = torch.randn(number, 5, 4, 3, dtype=torch.float64), torch.randn(5, 4, 3, dtype=torch.float64)
    pairs = [root_mean_square(draws[i] - draws[j], event_dim) for i, j in itertools.permutations(range(number), 2)]
    between = sum(pairs) / (2 * number * (number - 1)) if pairs else 0.0
    wanted = root_mean_square(draws - target, event_dim).mean(0) - between
    torch.testing.assert_close(energy_score(draws, target, event_dim), wanted)


def test_the_score_of_whole_events_sees_how_coordinates_hang_together():
    """Targets (s, s) with a random sign s: draws with one sign for both beat draws with a sign for each."""
    signs = torch.tensor([[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    target, together, apart = signs[:1], signs[[0, 1]], signs
    by_event = [
        sum(float(energy_score(torch.stack([a, b])[:, None], target, 1)) for a in law for b in law) / len(law) ** 2
        for law in (together, apart)
    ]
    by_coordinate = [
        sum(float(energy_score(torch.stack([a, b])[:, None], target).mean()) for a in law for b in law) / len(law) ** 2
        for law in (together, apart)
    ]
    assert by_event[0] < by_event[1] - 0.05
    assert by_coordinate[0] == pytest.approx(by_coordinate[1])


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
