"""The toys' densities integrate to one and describe the toys' samples."""

import math

import pytest
import torch

from probgen.data.toys import TOYS, Checkerboard, gaussian_grid, two_moons


def _grid(n, bound):
    axis = (torch.arange(n, dtype=torch.float32) + 0.5) / n * 2 * bound - bound
    return torch.cartesian_prod(axis, axis), (2 * bound / n) ** 2


@pytest.mark.parametrize("name", TOYS)
def test_mass_is_one(name):
    points, area = _grid(256, 5.0 if name != "checkerboard" else 4.0)
    mass = TOYS[name]().log_prob(points).exp().double().sum() * area
    assert abs(float(mass) - 1) < 1e-4


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize("name", TOYS)
def test_samples_follow_the_density(name):
    """Pearson's chi-squared over cells of expected count >= 20; false alarm 5e-11 each."""
    stats = pytest.importorskip("scipy.stats")
    n, cells, bound = 20_000, 20, 4.0
    law = TOYS[name]()
    points, area = _grid(cells * 10, bound)
    mass = law.log_prob(points).exp().double() * area
    expected = n * mass.reshape(cells, 10, cells, 10).sum((1, 3))
    x = law.sample((n,))
    index = ((x + bound) / (2 * bound) * cells).floor().clamp(0, cells - 1).long()
    counts = torch.zeros(cells, cells, dtype=torch.float64).index_put_((index[:, 0], index[:, 1]), torch.ones(n).double(), True)
    big = expected >= 20
    statistic = ((counts - expected).square() / expected)[big].sum()
    assert stats.chi2.sf(float(statistic), int(big.sum())) > 5e-11


def test_checkerboard_outside_and_batch():
    law = Checkerboard()
    assert law.log_prob(torch.tensor([-1.0, 1.0])) == -math.inf
    assert law.expand((3,)).sample((2,)).shape == (2, 3, 2)
    assert law.expand((3,)).log_prob(torch.ones(2)).shape == (3,)
    with pytest.raises(ValueError, match="support"):
        law.log_prob(torch.tensor([5.0, 0.0]))


def test_scale_is_the_width():
    """Along the normal of a moon the density falls like the Gaussian of the declared scale."""
    law, top = two_moons(0.1), torch.tensor([-0.75, 1.125])
    ratio = law.log_prob(top) - law.log_prob(top + torch.tensor([0.0, 0.1]))
    assert abs(float(ratio) - 0.5) < 0.1


def test_checkerboard_without_validation_scores_what_lies_outside():
    law = Checkerboard(validate_args=False)
    assert law.log_prob(torch.tensor([5.0, 0.0])) == -math.inf


@pytest.mark.parametrize("wrong", [{"side": 0}, {"spacing": 0.0}, {"scale": -1.0}])
def test_a_grid_needs_positive_numbers(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong.values()))}"):
        gaussian_grid(**wrong)
