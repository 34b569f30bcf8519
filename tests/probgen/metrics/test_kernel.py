"""The kernel distance against the double sum, and its standard error against repetition."""

import math

import pytest
import torch

from probgen.infer import GaussianKernel, MaximumMeanDiscrepancy, PolynomialKernel
from probgen.metrics import kernel_distance


def naive(a, b, degree):
    """The U-statistic, pair by pair."""

    def kernel(x, y):
        return (float(x @ y) / len(x) + 1) ** degree

    n, m = len(a), len(b)
    within_a = sum(kernel(a[i], a[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    within_b = sum(kernel(b[i], b[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return within_a + within_b - 2 * sum(kernel(x, y) for x in a for y in b) / (n * m)


@pytest.mark.parametrize("degree", [1, 3])
def test_it_is_the_double_sum(degree):
    a, b = torch.randn(7, 3, dtype=torch.float64), torch.randn(5, 3, dtype=torch.float64) + 1
    assert kernel_distance(a, b, kernel=PolynomialKernel(degree)).mean == pytest.approx(naive(a, b, degree), rel=1e-12)


def test_the_error_is_that_of_leaving_one_out():
    a, b = torch.randn(6, 2, dtype=torch.float64), torch.randn(8, 2, dtype=torch.float64)
    without_a = torch.tensor([naive(torch.cat([a[:i], a[i + 1 :]]), b, 3) for i in range(6)], dtype=torch.float64)
    without_b = torch.tensor([naive(a, torch.cat([b[:i], b[i + 1 :]]), 3) for i in range(8)], dtype=torch.float64)
    expected = sum((len(x) - 1) / len(x) * (x - x.mean()).square().sum() for x in (without_a, without_b))
    assert kernel_distance(a, b).error == pytest.approx(math.sqrt(float(expected)), rel=1e-9)


def test_it_is_what_training_minimizes():
    kernel, (a, b) = GaussianKernel((0.5, 2.0)), torch.randn(2, 40, 3, dtype=torch.float64)
    trained = MaximumMeanDiscrepancy(kernel).generator_loss(b, a)
    assert kernel_distance(a, b, kernel=kernel).mean == pytest.approx(float(trained), rel=1e-9, abs=1e-12)


def test_a_gaussian_kernel_sees_what_moments_up_to_three_do_not():
    """Two laws with equal moments up to the third: a fair coin on -1, 1 and a normal law."""
    torch.manual_seed(0)
    coin, normal = torch.randn(1500, 1).sign(), torch.randn(1500, 1)
    cubic, gaussian = kernel_distance(coin, normal), kernel_distance(coin, normal, kernel=GaussianKernel((0.3,)))
    assert abs(cubic.mean) < 5 * cubic.error
    assert gaussian.mean > 20 * gaussian.error


def test_chunks_change_nothing():
    a, b = torch.randn(2500, 2, dtype=torch.float64), torch.randn(1500, 2, dtype=torch.float64)
    kernel = [((x @ y.T) / 2 + 1) ** 3 for x, y in ((a, a), (b, b), (a, b))]
    within = [float(k.sum() - k.diagonal().sum()) / (len(k) * (len(k) - 1)) for k in kernel[:2]]
    assert kernel_distance(a, b).mean == pytest.approx(sum(within) - 2 * float(kernel[2].mean()), rel=1e-9, abs=1e-12)


@pytest.mark.statistical(false_alarm=1e-9)
def test_no_bias_and_an_honest_error():
    """200 repetitions with a real difference: the mean error ratio is within 40 % (6.3 deviations of a sample deviation, 5 %),

    and the mean distance of two sets from one law is within 6.1 standard errors of zero. A biased V-statistic is at 60.
    """
    far = [kernel_distance(torch.randn(100, 3), torch.randn(100, 3) + 1) for _ in range(200)]
    spread = float(torch.tensor([value.mean for value in far]).std())
    assert sum(value.error for value in far) / len(far) == pytest.approx(spread, rel=0.4)
    same = torch.tensor([kernel_distance(torch.randn(100, 3), torch.randn(100, 3)).mean for _ in range(200)])
    assert abs(float(same.mean())) < 6.1 * float(same.std()) / math.sqrt(200)


def test_errors():
    x = torch.randn(5, 2)
    with pytest.raises(ValueError, match="`degree` must be at least 1; got 0"):
        kernel_distance(x, x, kernel=PolynomialKernel(0))
    with pytest.raises(ValueError, match="`features_b` must hold at least 3 examples; got 2"):
        kernel_distance(x, x[:2])
    with pytest.raises(ValueError, match="same number of features; got 2 and 1"):
        kernel_distance(x, x[:, :1])
