"""Precision, recall, density and coverage against their definitions, loop by loop."""

import math

import pytest
import torch

from probgen.metrics import MeanError, NeighborhoodOverlap, neighborhood_overlap


def naive(real, generated, k):
    """The four definitions, example by example."""

    def radius(points, i):
        return sorted(math.dist(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    real, generated = real.tolist(), generated.tolist()
    radius_r = [radius(real, i) for i in range(len(real))]
    radius_g = [radius(generated, j) for j in range(len(generated))]
    inside = [[math.dist(r, g) <= radius_r[i] for g in generated] for i, r in enumerate(real)]
    within = [[math.dist(r, g) <= radius_g[j] for j, g in enumerate(generated)] for r in real]
    columns = list(zip(*inside, strict=True))
    return (
        sum(map(any, columns)) / len(generated),
        sum(map(any, within)) / len(real),
        sum(map(sum, columns)) / (k * len(generated)),
        sum(map(any, inside)) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
def test_they_are_their_definitions(k):
    real, generated = torch.randn(40, 3, dtype=torch.float64), torch.randn(30, 3, dtype=torch.float64) * 0.7 + 0.5
    found = neighborhood_overlap(real, generated, neighbors=k)
    means = tuple(getattr(found, name).mean for name in ("precision", "recall", "density", "coverage"))
    assert means == pytest.approx(naive(real, generated, k), abs=1e-12)


def test_copies_are_perfect():
    x = torch.randn(700, 4)
    found = neighborhood_overlap(x, x)
    assert (found.precision.mean, found.recall.mean, found.coverage.mean) == (1.0, 1.0, 1.0)
    assert found.density.mean >= 1.0


def test_dropping_a_mode_lowers_coverage_and_not_precision():
    modes = torch.tensor([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0], [20.0, 20.0]])
    real = (modes[:, None] + torch.randn(4, 150, 2)).flatten(0, 1)
    generated = (modes[:3, None] + torch.randn(3, 200, 2)).flatten(0, 1)
    found = neighborhood_overlap(real, generated)
    assert found.precision.mean > 0.95
    assert 0.6 < found.coverage.mean < 0.76
    assert 0.6 < found.recall.mean < 0.76


def test_real_neighborhoods_are_not_fooled_by_a_generated_outlier():
    real, generated = torch.randn(300, 2), torch.cat([torch.randn(300, 2) * 0.01, torch.full((1, 2), 50.0)])
    found = neighborhood_overlap(real, generated, neighbors=3)
    assert found.recall.mean > 0.4  # the outlier's ball reaches over half of the plane
    assert found.coverage.mean < 0.2


@pytest.mark.statistical(false_alarm=1e-9)
def test_two_sets_from_one_law():
    """Coverage has the expectation of the module's formula, within 8 binomial errors of 20 repetitions (6.4 standard errors).

    Detects balls to another neighbor, which change the coverage by 8 %: 16 of those errors.
    """
    n, m, k = 200, 150, 4
    found = [neighborhood_overlap(torch.randn(n, 5), torch.randn(m, 5), neighbors=k) for _ in range(20)]
    expected = 1 - math.prod((n - 1 - i) / (n + m - 1 - i) for i in range(k))
    error = math.sqrt(expected * (1 - expected) / (20 * n))
    assert abs(sum(value.coverage.mean for value in found) / 20 - expected) < 8 * error


def test_one_line():
    found = NeighborhoodOverlap(*(MeanError(value, 0.01) for value in (0.9, 0.8, 1.1, 0.7)), 5, 400, 300)
    assert str(found) == (
        "precision 0.900 ± 0.010, recall 0.800 ± 0.010, density 1.100 ± 0.010, coverage 0.700 ± 0.010 "
        "(k = 5, 400 real, 300 generated)"
    )


def test_errors():
    x = torch.randn(5, 2)
    with pytest.raises(ValueError, match="`neighbors` must be at least 1; got 0"):
        neighborhood_overlap(x, x, neighbors=0)
    with pytest.raises(ValueError, match="`real` must hold at least 6 examples; got 5"):
        neighborhood_overlap(x, x)
    with pytest.raises(ValueError, match="`generated` must be finite"):
        neighborhood_overlap(torch.randn(9, 2), torch.full((9, 2), math.nan))
