"""The classifier two-sample test: its chance, its power, and what it bounds."""

import pytest
import torch
from scipy.stats import binomtest

from probgen.metrics import classifier_two_sample_test
from probgen.metrics.two_sample import _tail


@pytest.mark.parametrize(("right", "number"), [(0, 10), (5, 10), (61, 100), (100, 100)])
def test_the_p_value_is_binomial(right, number):
    assert _tail(right, number) == pytest.approx(binomtest(right, number, alternative="greater").pvalue, rel=1e-9)


@pytest.mark.statistical(false_alarm=1e-9)
def test_equal_laws_pass_and_the_p_value_is_honest():
    """The p-value of one test is above 1e-9, but for a chance of at most 1e-9."""
    torch.manual_seed(0)
    assert classifier_two_sample_test(torch.randn(600, 5), torch.randn(500, 5)).p_value > 1e-9


def test_the_accuracy_is_nearly_the_best_one():
    """N(0, 1) and N(1, 1): the best accuracy is 0.6915, and a network of 2000 examples is near it and not above."""
    torch.manual_seed(0)
    report = classifier_two_sample_test(torch.randn(2000, 1), 1 + torch.randn(2000, 1), hidden=())
    assert report.num_test == 2000
    assert 0.6915 - 6.5 * report.accuracy.error < report.accuracy.mean < 0.6915 + 6.5 * report.accuracy.error


def test_a_network_sees_what_a_line_does_not():
    """Equal means, unequal spreads: logistic regression on the features is blind."""
    torch.manual_seed(0)
    a, b = torch.randn(800, 2), 3 * torch.randn(800, 2)
    assert classifier_two_sample_test(a, b, hidden=()).accuracy.mean < 0.6
    assert classifier_two_sample_test(a, b).p_value < 1e-12


def test_it_leaves_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    with torch.no_grad():
        classifier_two_sample_test(torch.zeros(9, 2), torch.ones(9, 2), steps=2)
    assert torch.equal(torch.rand(1), expected)


def test_unequal_sizes_odd_sizes_and_constants():
    report = classifier_two_sample_test(torch.zeros(9, 2), torch.zeros(30, 2), steps=3)
    assert report.num_test == 8
    assert report.accuracy.mean == 0.5
    assert "accuracy 0.500" in repr(report)


def test_errors():
    with pytest.raises(ValueError, match="must hold at least 4 examples; got 3"):
        classifier_two_sample_test(torch.randn(3, 2), torch.randn(9, 2))


def test_it_trains_in_inference_mode():
    a, b = torch.randn(20, 2), torch.randn(20, 2)
    with torch.inference_mode():
        inside = classifier_two_sample_test(a, b, steps=3)
    assert inside == classifier_two_sample_test(a, b, steps=3)
