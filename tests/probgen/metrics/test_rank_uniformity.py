"""The exact test of uniform ranks: every probability by enumeration, symmetry, what a band holds."""

import itertools

import pytest
import torch

from probgen.metrics._rank_uniformity import ecdf_points, rank_band, rank_p_value


@pytest.mark.parametrize(("number", "draws"), [(1, 4), (4, 2), (6, 1), (3, 4)])
def test_p_values_are_exact(number, draws):
    """Over all (L + 1)^n equally likely ranks, P(p <= t) = t at every p-value that occurs."""
    every = list(itertools.product(range(draws + 1), repeat=number))
    values = torch.tensor([rank_p_value(torch.tensor(ranks), draws) for ranks in every])
    for value in values.unique():
        assert float((values <= value + 1e-6).double().mean()) == pytest.approx(float(value), abs=1e-6)
    assert len(values.unique()) > 1


def test_the_band_holds_its_share_of_paths_and_no_smaller_one_would():
    number, draws, level = 5, 3, 0.8
    points = ecdf_points(draws)
    every = torch.tensor(list(itertools.product(range(draws + 1), repeat=number)))
    paths = (every[:, :, None] < points).double().mean(1)
    lower, upper = rank_band(number, draws, level)
    held = ((paths >= lower - 1e-9) & (paths <= upper + 1e-9)).all(1).double().mean()
    tighter = ((paths >= lower + 0.1) & (paths <= upper - 0.1)).all(1).double().mean()
    assert float(tighter) < level <= float(held)


def test_ranks_outside_of_the_band_have_a_small_p_value():
    """One rank too few below the middle, all others spread evenly."""
    number, draws, level = 200, 99, 0.95
    middle = int(ecdf_points(draws)[9])
    count = round(float(rank_band(number, draws, level)[0][9]) * number) - 1
    below = torch.arange(count) * middle // count
    above = middle + torch.arange(number - count) * (draws + 1 - middle) // (number - count)
    ranks = torch.cat([below, above])
    assert int((ranks < middle).sum()) == count
    assert rank_p_value(ranks, draws) < 1 - level


def test_the_band_is_symmetric_and_narrows():
    for number in (50, 1000):
        lower, upper = rank_band(number, 999, 0.95)
        torch.testing.assert_close(lower, 1 - upper.flip(0))
        diagonal = ecdf_points(999) / 1000
        assert ((lower < diagonal) & (diagonal < upper)).all()
    few, many = (rank_band(number, 99, 0.95) for number in (100, 400))
    ratio = ((few[1] - few[0]) / (many[1] - many[0])).mean()
    assert float(ratio) == pytest.approx(2.0, abs=0.15)


def test_points_are_few_and_inside():
    for draws in (1, 2, 19, 20, 99, 1000):
        points = ecdf_points(draws)
        assert len(points) == min(19, draws)
        assert 1 <= int(points.min()) <= int(points.max()) <= draws
