"""The test of typicality: its level, both sides, what more data do, errors."""

import math

import pytest
import torch

from probgen.metrics import typicality_test


def _scores(scale, number, seed, dims=100):
    law = torch.distributions.Normal(torch.zeros(dims), 1.0)
    return law.log_prob(scale * torch.randn(number, dims, generator=torch.Generator().manual_seed(seed))).sum(1)


@pytest.mark.statistical(false_alarm=1e-10)
def test_both_sides_are_found():
    usual = _scores(1.0, 3000, 0)
    for scale, side in ((0.8, "too likely"), (1.2, "too unlikely")):
        report = typicality_test(_scores(scale, 20, 1), usual)
        assert report.side == side
        assert report.p_value == 1 / 1000
        assert report.deviation == pytest.approx(abs(float(_scores(scale, 20, 1).mean() - usual.mean())), rel=1e-4)


@pytest.mark.statistical(false_alarm=1e-10)
def test_more_data_are_tested_more_sharply():
    """Scores half a unit above those of a uniform law on [-1, 1]: for one datum p is 1/2, for 100 it is 9 deviations away."""
    usual = torch.linspace(-1, 1, 2001)
    one, many = (typicality_test(torch.full((number,), 0.5), usual) for number in (1, 100))
    assert abs(one.p_value - 0.5) < 0.11
    assert many.p_value == 1 / 1000


@pytest.mark.statistical(false_alarm=1e-10)
def test_usual_data_have_uniform_p_values():
    """The mean of 400 p-values is within 0.1 of one half, 7 standard errors; 60 of them at 0.05 would be 9."""
    usual = _scores(1.0, 4000, 0)
    values = [typicality_test(_scores(1.0, 5, 100 + seed), usual, resamples=99, seed=seed).p_value for seed in range(400)]
    assert abs(sum(values) / 400 - 0.5) < 0.1
    assert sum(value <= 0.05 for value in values) < 60


def test_the_bootstrap_is_that_of_its_seed():
    usual, some = _scores(1.0, 100, 0), _scores(1.0, 5, 1)
    assert typicality_test(some, usual, seed=3) == typicality_test(some, usual, seed=3)


def test_infinite_densities_are_far_and_nan_is_refused():
    usual = _scores(1.0, 100, 0)
    assert typicality_test(torch.tensor([-math.inf]), usual).p_value == 1 / 1000
    with pytest.raises(ValueError, match="NaN"):
        typicality_test(torch.tensor([math.nan]), usual)
    for arguments in ((torch.zeros(0), usual), (usual, torch.zeros(1)), (torch.zeros(2, 2), usual)):
        with pytest.raises(ValueError, match="must be vectors"):
            typicality_test(*arguments)
    with pytest.raises(ValueError, match="positive"):
        typicality_test(usual, usual, resamples=0)


def test_usual_data_must_be_possible():
    with pytest.raises(ValueError, match="`usual` must be finite"):
        typicality_test(torch.zeros(1), torch.tensor([-math.inf, 0.0, 1.0]))
