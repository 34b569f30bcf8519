"""The logit of the normal cdf, against numbers of scipy and in both tails."""

import numpy as np
import pytest
import scipy.stats
import torch

from probgen.distributions.bijectors import LogisticCDF, NormalCDF, NormalToLogistic


def test_values_are_scipy_s():
    x = np.array([-30.0, -7.0, -0.3, 0.0, 0.3, 2.5, 30.0])
    expected = scipy.stats.norm.logcdf(x) - scipy.stats.norm.logsf(x)
    np.testing.assert_allclose(NormalToLogistic()(torch.from_numpy(x)).numpy(), expected, rtol=1e-13, atol=1e-15)


def test_it_is_the_two_cdfs_where_those_keep_their_digits():
    x = torch.linspace(-6, 5, 23, dtype=torch.float64)
    torch.testing.assert_close(NormalToLogistic()(x), LogisticCDF().inverse(NormalCDF()(x)), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 4e-15)])
def test_both_directions_over_the_whole_line(dtype, tolerance):
    far = torch.logspace(-10, 4, 2001, dtype=dtype)
    x = torch.cat([-far, torch.linspace(-12, 12, 2001, dtype=dtype), far])
    f = NormalToLogistic()
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(f(f.inverse(x)), x, rtol=16 * tolerance, atol=4 * tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_log_slope_keeps_its_digits_far_out(dtype):
    """A difference of two squares would not: at y = 4e8 it is off by thirty nats in float32; Newton's method goes astray."""
    f = NormalToLogistic()
    y = torch.logspace(0, 12, 500, dtype=dtype)
    x, log_slope = f.inverse_and_log_det(torch.cat([-y, y]))
    assert bool(((f(x) - torch.cat([-y, y])).abs() <= 1e-5 * x.abs() * x.abs()).all())
    far = x.abs() > 100
    torch.testing.assert_close(log_slope[far], -x[far].abs().log(), rtol=1e-4, atol=2e-4)  # slope x + 1 / x + ...
