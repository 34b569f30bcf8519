"""The statistical tests keep their false-alarm rate and find what they promise to find."""

import pytest
import torch
from torch.distributions import Normal

from probgen.distributions.testing import (
    FALSE_ALARM,
    SUITE_BUDGET,
    Ledger,
    TestResult,
    bounded_means_test,
    chi_square_test,
    dkwm_test,
    dkwm_two_sample_test,
    mean_test,
    min_detectable_discrepancy,
    num_samples_for_discrepancy,
    projected_two_sample_test,
    uniformity_test,
)

pytestmark = pytest.mark.statistical(false_alarm=1e-8)


def test_false_alarms_are_rare_and_counted_honestly():
    alarms = sum(not uniformity_test(torch.rand(200), false_alarm=0.05).passed for _ in range(400))
    assert alarms <= 60  # at most 0.05 each by theory: more than 60 of 400 has probability below 1e-13


def test_discrepancy_above_the_promised_one_is_found():
    n = num_samples_for_discrepancy(0.05)
    assert min_detectable_discrepancy(n) <= 0.05
    shifted = torch.rand(n) * 0.9  # its distribution function is off by 0.1 at 0.9
    assert not uniformity_test(shifted).passed


def test_dkwm_against_a_distribution_function():
    x = torch.randn(20_000)
    assert dkwm_test(x, Normal(0.0, 1.0).cdf).passed
    assert not dkwm_test(1.1 * x, Normal(0.0, 1.0).cdf).passed


def test_two_samples():
    x, y = torch.randn(20_000), torch.randn(20_000)
    assert dkwm_two_sample_test(x, y).passed
    assert not dkwm_two_sample_test(x, y + 0.2).passed


def test_projections_see_a_lost_correlation():
    x = torch.randn(20_000, 2)
    mixed = torch.stack([x[:, 0], x.sum(-1) / 2**0.5], -1)
    fresh = torch.randn(20_000, 2)
    assert projected_two_sample_test(fresh, x).passed
    assert not projected_two_sample_test(fresh, mixed).passed


def test_chi_square_pools_the_tail():
    probabilities = torch.tensor([0.5, 0.3, 0.1999, 0.0001])
    counts = torch.bincount(torch.multinomial(probabilities, 10_000, replacement=True), minlength=4)
    assert chi_square_test(counts, probabilities).passed
    assert not chi_square_test(counts.flip(0), probabilities).passed


def test_mean_of_a_wrong_value_is_found():
    x = torch.randn(10_000)
    assert mean_test(x, 0.0).passed
    assert not mean_test(x, 0.1).passed


def test_bounded_means_keep_their_promise():
    x, y = torch.rand(20_000), torch.rand(20_000)
    result = bounded_means_test(x, y)
    assert result.passed
    assert not bounded_means_test(x, (y + result.detectable).clamp(max=1.0) * (y < 2)).passed


def test_nan_never_passes():
    assert not TestResult(float("nan"), 1.0, FALSE_ALARM, 1.0).passed


def test_ledger_refuses_to_overspend():
    ledger = Ledger()
    assert ledger.budget == SUITE_BUDGET
    ledger.spend("large", 9e-7)
    with pytest.raises(ValueError, match="left of the budget"):
        ledger.spend("too large", 2e-7)
    assert ledger.spend("large", 9e-7) == 9e-7
