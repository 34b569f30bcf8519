"""Mode coverage against its definition, and its floors against exact sums and perfect samplers."""

import math

import pytest
import torch

from probgen.data.toys import gaussian_grid
from probgen.metrics import class_coverage, mode_coverage, reverse_kl_floor

GRID = torch.cartesian_prod(*[torch.tensor([-4.0, -2.0, 0.0, 2.0, 4.0])] * 2)


def naive(samples, means, std):
    """The papers' three numbers, draw by draw."""
    captured, high, counts = set(), 0, [0] * len(means)
    for x in samples.tolist():
        distances = [math.dist(x, mean) for mean in means.tolist()]
        nearest = distances.index(min(distances))
        counts[nearest] += 1
        if min(distances) <= 3 * std:
            captured.add(nearest)
            high += 1
    n = len(samples)
    kl = sum(c / n * math.log(c / n * len(means)) for c in counts if c)
    return len(captured), high / n, kl, counts


def test_it_is_its_definition():
    generator = torch.Generator().manual_seed(0)
    samples = GRID[torch.randint(20, (300,), generator=generator)] + 0.1 * torch.randn(300, 2, generator=generator)
    found = mode_coverage(samples, GRID, std=0.05)
    modes, high, kl, counts = naive(samples, GRID, 0.05)
    assert (found.modes, found.counts.tolist()) == (modes, counts)
    assert found.high_quality.mean == pytest.approx(high, abs=1e-12)
    assert found.reverse_kl == pytest.approx(kl, abs=1e-12)
    assert int(found.high_quality_counts.sum()) == round(300 * high)


def test_a_draw_between_modes_counts_for_the_histogram_and_not_for_the_modes():
    found = mode_coverage(torch.tensor([[-4.0, -4.0], [0.3, 0.0]]), GRID, std=0.05)
    assert (found.modes, found.high_quality.mean, int(found.counts[12]), int(found.high_quality_counts[12])) == (1, 0.5, 1, 0)


def test_the_grid_of_the_papers():
    law = gaussian_grid()
    assert torch.equal(law.component_distribution.mean, GRID)
    exact = torch.distributions.Normal(GRID, 0.05).log_prob(torch.tensor([0.01, 2.02])).sum(-1).logsumexp(0) - math.log(25)
    torch.testing.assert_close(law.log_prob(torch.tensor([0.01, 2.02])), exact)


@pytest.mark.statistical(false_alarm=1e-8)
def test_a_perfect_sampler_meets_ceiling_and_floor():
    """High quality within 6 binomial errors of 100 000 draws; the mean divergence of 40 sets within 8 errors of its floor.

    Twice the divergence times n is nearly chi-squared with 24 degrees of freedom, so its mean over 40 sets is nearly normal.
    Detects a share of high quality that is off by 0.2 %, and a floor that is off by 35 %.
    """
    torch.manual_seed(0)
    law = gaussian_grid()
    found = mode_coverage(law.sample((100_000,)), GRID, std=0.05)
    assert found.high_quality_ceiling == pytest.approx(1 - math.exp(-4.5), abs=1e-12)
    error = math.sqrt(found.high_quality_ceiling * (1 - found.high_quality_ceiling) / 100_000)
    assert abs(found.high_quality.mean - found.high_quality_ceiling) < 6 * error
    kls = [mode_coverage(law.sample((500,)), GRID, std=0.05) for _ in range(40)]
    spread = math.sqrt(2 * 24) / (2 * 500) / math.sqrt(40)
    assert abs(sum(one.reverse_kl for one in kls) / 40 - kls[0].floor) < 8 * spread


def test_the_floors_that_nobody_prints():
    assert reverse_kl_floor(26_000, 1000) == pytest.approx(0.0193, abs=5e-5)
    assert reverse_kl_floor(2500, 25) == pytest.approx(24 / 5000, rel=0.02)
    assert mode_coverage(GRID, GRID, std=0.05).high_quality_ceiling == pytest.approx(0.989, abs=2e-4)


def test_the_floor_is_the_expectation_over_all_samples():
    """Three draws of three classes: all 27 samples enumerated."""
    p = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64)
    samples = torch.cartesian_prod(*[torch.arange(3)] * 3)
    expected = sum(float(p[s].prod()) * class_coverage(s, p).reverse_kl for s in samples)
    assert reverse_kl_floor(3, p) == pytest.approx(expected, abs=1e-12)


def test_weights_and_empty_classes():
    p = torch.tensor([0.5, 0.0, 0.5])
    assert class_coverage(torch.tensor([0, 2]), p).reverse_kl == 0.0
    assert class_coverage(torch.tensor([0, 1]), p).reverse_kl == math.inf
    means = torch.tensor([[0.0], [1.0]])
    found = mode_coverage(means[[0, 0, 0, 1]], means, std=0.1, weights=torch.tensor([0.75, 0.25]))
    assert found.reverse_kl == pytest.approx(0.0, abs=1e-7)


def test_one_line():
    found = class_coverage(torch.arange(2000) % 500, 1000)
    assert str(found) == "500 of 1000 classes, reverse KL 0.693 (floor 0.285, 2000 draws)"
    assert "25 of 25 modes, high quality 1.000 ± 0.000 (at best 0.989)" in str(mode_coverage(GRID, GRID, std=0.05))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mode_coverage(GRID, GRID, std=0.0), "`std` and `radius` must be positive; got 0.0 and 3.0"),
        (lambda: mode_coverage(GRID[:1], GRID, std=0.1), "`samples` must hold at least 2 draws; got 1"),
        (lambda: mode_coverage(GRID * math.nan, GRID, std=0.1), "`samples` must be finite"),
        (lambda: mode_coverage(GRID, GRID[:, :1], std=0.1), "same number of features; got 2 and 1"),
        (lambda: mode_coverage(GRID, GRID, std=0.1, weights=torch.ones(25)), "sum 1"),
        (lambda: class_coverage(torch.tensor([3]), 3), r"`predicted` must lie in 0, ..., 2; got 3, ..., 3"),
        (lambda: class_coverage(torch.zeros(0).long(), 3), "at least one; got torch.int64"),
        (lambda: class_coverage(torch.zeros(2), 3), "`predicted` must be integers"),
        (lambda: reverse_kl_floor(0, 3), "`draws` must be at least 1; got 0"),
        (lambda: reverse_kl_floor(3, 0), "at least one class; got 0"),
        (lambda: gaussian_grid(side=0), "must be positive; got 0, 2.0 and 0.05"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
