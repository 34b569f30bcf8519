"""Generalized Pareto tails: against scipy and laws of weights that are known, invariances of the smoothing, errors."""

import math

import pytest
import torch
from scipy.stats import genpareto

from probgen.distributions.numerics.pareto import ParetoFit, SmoothedWeights, generalized_pareto_fit, pareto_smoothed


def _grid(number):
    """Midpoints of equal parts of (0, 1): quantiles there are a sample without noise."""
    return (torch.arange(number, dtype=torch.float64) + 0.5) / number


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.5, 1.2])
def test_quantiles_are_those_of_scipy(shape):
    law = ParetoFit(torch.tensor(shape, dtype=torch.float64), torch.tensor(2.0, dtype=torch.float64))
    expected = torch.from_numpy(genpareto.ppf(_grid(50).numpy(), shape, scale=2.0))
    torch.testing.assert_close(law.quantile(_grid(50)), expected)


@pytest.mark.parametrize("shape", [-0.3, 0.0, 0.5, 1.2])
def test_the_fit_finds_the_law_and_agrees_with_maximum_likelihood(shape):
    x = genpareto.ppf(_grid(3000).numpy(), shape, scale=2.0)
    fit = generalized_pareto_fit(torch.from_numpy(x))
    likeliest, _, scale = genpareto.fit(x, floc=0)
    assert float(fit.shape) == pytest.approx(shape, abs=0.02)
    assert float(fit.shape) == pytest.approx(likeliest, abs=0.02)
    assert float(fit.scale) == pytest.approx(scale, rel=0.02)


@pytest.mark.parametrize("rate", [1.5, 2.0, 4.0])
def test_weights_of_exponential_laws_have_the_known_tail(rate):
    """p = Exp(1), q = Exp(a): w = exp((a - 1) z) / a, so P(w > t) falls as t to the power -a/(a - 1), and k = 1 - 1/a."""
    z = -torch.log1p(-_grid(40_000)) / rate
    tail = math.ceil(3 * math.sqrt(len(z)))
    expected = (tail * (1 - 1 / rate) + 5) / (tail + 10)
    assert float(pareto_smoothed((rate - 1) * z).shape) == pytest.approx(expected, abs=0.03)


def test_only_the_tail_changes_and_the_order_stays():
    torch.manual_seed(0)
    log_weights = 2 * torch.randn(1000, dtype=torch.float64)
    smoothed = pareto_smoothed(log_weights)
    assert isinstance(smoothed, SmoothedWeights)
    assert float(smoothed.log_weights.exp().sum()) == pytest.approx(1.0)
    order, tail = log_weights.argsort(), math.ceil(3 * math.sqrt(1000))
    moved = (smoothed.log_weights - log_weights)[order]
    torch.testing.assert_close(moved[:-tail], moved[0].expand(1000 - tail))
    assert (moved[-tail:] - moved[0]).abs().max() > 0.01
    assert (smoothed.log_weights[order].diff() >= 0).all()
    largest = log_weights.max() + moved[0]
    assert smoothed.log_weights.max() <= largest + 1e-12


def test_a_batch_is_its_parts_and_constants_do_not_matter():
    torch.manual_seed(1)
    log_weights = torch.randn(400, 2, 3, dtype=torch.float64) * torch.tensor([0.1, 1.0, 3.0], dtype=torch.float64)
    log_weights[:7, 0, 0] = -torch.inf
    log_weights[:, 1, 1] = 5.0  # a constant one between others
    whole = pareto_smoothed(log_weights + 300.0)
    assert whole.shape.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            part = pareto_smoothed(log_weights[:, i, j])
            torch.testing.assert_close(whole.log_weights[:, i, j], part.log_weights)
            torch.testing.assert_close(whole.shape[i, j], part.shape)
    assert pareto_smoothed(log_weights.float()).log_weights.dtype == torch.float32


def test_too_few_weights_and_wrong_ones():
    few = pareto_smoothed(torch.arange(24.0))
    assert few.shape == torch.inf
    torch.testing.assert_close(few.log_weights, torch.arange(24.0).log_softmax(0))
    with pytest.raises(ValueError, match="at least one weight"):
        pareto_smoothed(torch.zeros(0))
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="NaN or infinite"):
            pareto_smoothed(torch.tensor([0.0, wrong]))
    with pytest.raises(ValueError, match="at least 5"):
        generalized_pareto_fit(torch.ones(4))
