"""Calibration of a ratio: closed forms for two normal laws, and what is wrong with wrong ones."""

import pytest
import torch

from probgen.distributions.implicit import DensityRatio, MeanEstimate, RatioReport, ratio_report, recalibrated
from tests.distributions.implicit.normal_pair import JS, KL, quantiles, true_ratio


def test_the_true_ratio_has_the_digits_of_the_closed_forms():
    report = ratio_report(true_ratio, quantiles(), quantiles(mean=1.0))
    assert isinstance(report, RatioReport)
    assert report.js.value.item() == pytest.approx(JS, abs=1e-6)
    assert report.kl.value.item() == pytest.approx(KL, abs=1e-3)
    assert report.mean_ratio.value == pytest.approx(1.0, abs=1e-3)
    assert report.mean_inverse.value == pytest.approx(1.0, abs=1e-3)
    assert report.calibration_error < 1e-4
    assert report.p_value == pytest.approx(1.0, abs=0.01)  # quantiles, not draws: nothing here is left to chance
    assert report.kl.kind == report.js.kind == "lower"


@pytest.mark.parametrize("wrong", [lambda x: 3 * (0.5 - x), lambda x: 1.5 - x, lambda x: 0 * x + 0.3])
def test_a_wrong_ratio_is_found(wrong):
    report = ratio_report(wrong, quantiles(10_000), quantiles(10_000, mean=1.0))
    assert report.p_value < 1e-10
    assert report.calibration_error > 0.05 > report.floor
    assert report.js.value < JS - 1e-3
    assert report.kl.value < KL


def test_what_knows_nothing_is_calibrated_all_the_same():
    """A constant output falls into one bin, whatever the order of the points."""
    report = ratio_report(torch.zeros_like, quantiles(1000), quantiles(3000, mean=1.0))
    assert report.predicted.tolist() == pytest.approx([0.5])
    assert report.observed.tolist() == pytest.approx([0.5])
    assert report.calibration_error == pytest.approx(0.0, abs=1e-12)
    assert report.kl.value == report.js.value == 0


def test_laws_of_unequal_counts_have_the_same_weight():
    report = ratio_report(true_ratio, quantiles(20_000), quantiles(100_000, mean=1.0))
    assert report.p_value == pytest.approx(1.0, abs=0.01)  # quantiles, not draws: nothing here is left to chance
    assert len(report.predicted) == 10


@pytest.mark.statistical(false_alarm=1e-8)
def test_the_p_value_is_one():
    """Over 40 fresh samples its mean is that of a uniform number: 1/2, within 6 standard errors, 0.27."""
    values = torch.tensor([ratio_report(true_ratio, torch.randn(2000), 1 + torch.randn(2000)).p_value for _ in range(40)])
    assert abs(values.mean() - 0.5) < 6 * (1 / 12 / 40) ** 0.5


def test_it_can_be_read():
    text = str(ratio_report(true_ratio, quantiles(1000), quantiles(1000, mean=1.0), num_bins=3))
    assert text.splitlines()[0] == "  D       share of p"
    assert "JS(p, q) Estimate(>= 0.11" in text
    assert len(text.splitlines()) == 9
    assert MeanEstimate(1.0, 0.1)._fields == ("value", "stderr")


def test_platt_mends_slope_and_offset():
    wrong = DensityRatio(lambda x: 2 - 3 * x, ())
    better = recalibrated(wrong, quantiles(), quantiles(mean=1.0))
    points = torch.linspace(-3, 3, 7)
    torch.testing.assert_close(better(points), true_ratio(points), atol=1e-3, rtol=0.0)
    assert better.critic is wrong.critic
    again = recalibrated(better, quantiles(), quantiles(mean=1.0))
    torch.testing.assert_close(again(points), better(points), atol=1e-4, rtol=0.0)


def test_laws_that_do_not_overlap_have_a_finite_map():
    sure = recalibrated(DensityRatio(lambda x: x, ()), torch.ones(50), -torch.ones(50))
    assert torch.sigmoid(sure(torch.tensor(1.0))).item() == pytest.approx(51 / 52, abs=1e-3)


def test_contexts_of_both():
    ratio = DensityRatio(lambda x, c: c * (2 - 3 * x), (), context_shape=())
    ones = torch.ones(10_000)
    better = recalibrated(ratio, quantiles(10_000), quantiles(10_000, 1.0), context=(ones, ones))
    torch.testing.assert_close(better(torch.tensor(0.0), torch.tensor(1.0)), torch.tensor(0.5), atol=1e-2, rtol=0.0)


def test_errors():
    with pytest.raises(ValueError, match="`num_bins` must be at least 1 and not exceed the draws"):
        ratio_report(true_ratio, torch.zeros(5), torch.zeros(20))
    with pytest.raises(ValueError, match="must hold draws of both laws; got 0 and 3"):
        recalibrated(DensityRatio(true_ratio, ()), torch.zeros(0), torch.zeros(3))


def test_a_ratio_that_is_sure_without_reason_is_found():
    """D is 0 or 1 in floating point: it leaves itself no error, so any share in between refutes it."""
    report = ratio_report(lambda x: 1000 * torch.sign(x.sin() + 0.001), quantiles(1000), quantiles(1000))
    assert report.p_value == 0
    assert report.calibration_error > 0.4
    apart = ratio_report(lambda x: 1000 * torch.sign(x), quantiles(100) + 50, quantiles(100) - 50)
    assert apart.p_value == 1
    assert apart.calibration_error == 0


@pytest.mark.parametrize("wrong", [lambda x: x * float("nan"), lambda x: x[:, None], lambda x: x.sum()])
def test_what_is_no_ratio_is_refused(wrong):
    with pytest.raises(ValueError, match="`ratio` must return numbers"):
        ratio_report(wrong, quantiles(100), quantiles(100))


def test_recalibration_needs_finite_ratios_and_works_in_inference_mode():
    x, y = quantiles(500), quantiles(500, mean=1.0)
    with pytest.raises(ValueError, match="`ratio` must be finite"):
        recalibrated(DensityRatio(lambda x: x / 0, ()), x, y)
    wrong = DensityRatio(lambda x: 2 - 3 * x, ())
    with torch.inference_mode():
        inside = recalibrated(wrong, x, y)
    assert inside.slope == recalibrated(wrong, x, y).slope


def test_what_was_recalibrated_is_recalibrated_again_as_the_function_it_is():
    x, y = quantiles(500), quantiles(500, mean=1.0)
    kept = recalibrated(DensityRatio(lambda x: x, (), slope=-3.0, offset=2.0), x, y)
    baked = recalibrated(DensityRatio(lambda x: 2 - 3 * x, ()), x, y)
    torch.testing.assert_close(kept(x), baked(x), atol=1e-4, rtol=1e-4)
