"""Simulation-based calibration: a conjugate normal model, exact, narrow and wrong posteriors, the power, ties, errors."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import beta, binom, norm

from probgen.metrics import RankCalibration, simulation_based_calibration

NUMBER, DRAWS = 1000, 99


def _simulations(number=NUMBER):
    """theta ~ N(0, 1)^2, y ~ N(theta, 1): the posterior is N(y / 2, 1 / 2)."""
    theta = torch.randn(number, 2, dtype=torch.float64)
    return theta, theta + torch.randn(number, 2, dtype=torch.float64)


def _posterior(factor=1.0, shift=0.0):
    return lambda y: y / 2 + shift + factor * math.sqrt(0.5) * torch.randn(DRAWS, *y.shape, dtype=y.dtype)


def _log_likelihood(theta, y):
    return -(theta - y).square().sum(-1, keepdim=True)


@pytest.mark.statistical(false_alarm=1e-10)
def test_the_exact_posterior_passes():
    torch.manual_seed(0)
    found = simulation_based_calibration(*_simulations(), _posterior())
    assert found.ranks.shape == (NUMBER, 2)
    assert found.p_value > 1e-10
    again = simulation_based_calibration(*_simulations(), _posterior(), quantities=_log_likelihood)
    assert again.p_value > 1e-10


@pytest.mark.statistical(false_alarm=1e-10)
@pytest.mark.parametrize("factor", [0.7, 1.4])
def test_a_wrong_spread_fails_with_the_coverage_of_the_closed_form(factor):
    """The truth is N(0, 1) where draws are N(0, f^2): the central region of content c holds it with 2 Phi(f z) - 1."""
    torch.manual_seed(1)
    found = simulation_based_calibration(*_simulations(), _posterior(factor))
    assert found.p_value < 1e-6
    content = 0.5
    exact = 2 * norm.cdf(factor * norm.ppf((1 + content) / 2)) - 1
    for share in found.coverage(content):
        assert abs(share.mean - exact) < 7 * math.sqrt(exact * (1 - exact) / NUMBER) + 1 / (DRAWS + 1)


def test_the_power_against_a_narrow_posterior():
    """A thousandth of runs with 0.7 of the spread has p > 1e-4: p is at most 19 times the two-sided chance at any point."""
    place = norm.cdf(norm.ppf((np.arange(20_000) + 0.5) / 20_000) / 0.7)  # of the truth in its narrow posterior
    share = beta.sf(place, 5, DRAWS - 4).mean()  # P(rank < 5), 0.05 of the exact posterior
    assert share == pytest.approx(0.122, abs=1e-3)
    needed = binom.isf(1e-4 / 19 / 2, NUMBER, 0.05)  # so many such ranks make it certain
    assert binom.cdf(needed, NUMBER, share) < 1e-3


@pytest.mark.statistical(false_alarm=1e-10)
def test_the_prior_is_not_caught_by_parameters_but_by_the_likelihood():
    torch.manual_seed(2)
    simulations = _simulations()

    def prior(y):
        return torch.randn(DRAWS, *y.shape, dtype=y.dtype)

    assert simulation_based_calibration(*simulations, prior).p_value > 1e-10
    assert simulation_based_calibration(*simulations, prior, quantities=_log_likelihood).p_value < 1e-12


@pytest.mark.statistical(false_alarm=1e-10)
def test_equal_values_share_their_places():
    """A coin in the prior and nothing in the data: the posterior has the same coin, and nearly all ranks are ties."""
    torch.manual_seed(3)
    coins = torch.bernoulli(torch.full((NUMBER, 1), 0.3))
    found = simulation_based_calibration(coins, coins, lambda y: torch.bernoulli(torch.full((DRAWS, NUMBER, 1), 0.3)))
    assert found.p_value > 1e-10
    assert len(found.ranks.unique()) > 90
    ranks = [simulation_based_calibration(coins, coins, lambda y: y.expand(9, -1, -1), seed=seed).ranks for seed in (1, 1, 2)]
    assert torch.equal(ranks[0], ranks[1])
    assert not torch.equal(ranks[0], ranks[2])


def test_coverage_of_ranks_that_occur_once_each_is_exact():
    every = RankCalibration(torch.arange(100)[:, None], 99, (1.0,))
    for content in (0.1, 0.5, 0.9):
        for region in ("central", "upper"):
            assert every.coverage(content, region)[0].mean == pytest.approx(content)
    low = RankCalibration(torch.zeros(50, 1, dtype=torch.long), 99, (1.0,))
    assert low.coverage(0.9)[0].mean == low.coverage(0.99 - 1e-9, "upper")[0].mean == 0.0


def test_the_distribution_function_and_its_band():
    found = RankCalibration(torch.arange(100)[:, None], 99, (1.0,))
    points, values, lower, upper = found.ecdf()
    assert points.shape == lower.shape == upper.shape == values.shape[:1]
    torch.testing.assert_close(values[:, 0], points.double())
    assert ((lower < points) & (points < upper)).all()
    assert "100 simulations, 99 draws, 1 quantities" in repr(found)


def test_what_does_not_fit_is_refused():
    theta, y = _simulations(8)
    for arguments in ((theta[:1], y[:1]), (theta[0], y), (theta, y[:5])):
        with pytest.raises(ValueError, match="must be"):
            simulation_based_calibration(*arguments, _posterior())
    with pytest.raises(ValueError, match="must give draws"):
        simulation_based_calibration(theta, y, lambda y: y)
    with pytest.raises(ValueError, match="leading dimensions"):
        simulation_based_calibration(theta, y, _posterior(), quantities=lambda theta, y: theta.sum(-1))
    with pytest.raises(ValueError, match="NaN"):
        simulation_based_calibration(theta, y, lambda y: torch.full((3, 8, 2), math.nan))
    found = simulation_based_calibration(theta, y, _posterior())
    for content, region in ((0.0, "central"), (1.0, "central"), (0.5, "lower")):
        with pytest.raises(ValueError, match="`content`"):
            found.coverage(content, region)
