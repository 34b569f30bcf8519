import math

import pytest
import scipy.stats
import torch

from probgen.distributions.bijectors import CauchyCDF, GumbelCDF, LogisticCDF, NormalCDF

ORACLES = {
    NormalCDF: scipy.stats.norm,
    LogisticCDF: scipy.stats.logistic,
    CauchyCDF: scipy.stats.cauchy,
    GumbelCDF: scipy.stats.gumbel_r,
}
FAMILIES = sorted(ORACLES, key=lambda family: family.__name__)


@pytest.mark.parametrize("family", FAMILIES)
def test_value_and_log_density_match_scipy(family):
    x = torch.linspace(-4, 6, 21, dtype=torch.float64)
    oracle = ORACLES[family](loc=0.5, scale=2.0)
    y, log_det = family(0.5, 2.0).double().forward_and_log_det(x)
    torch.testing.assert_close(y, torch.as_tensor(oracle.cdf(x.numpy())), rtol=1e-13, atol=0)
    torch.testing.assert_close(log_det, torch.as_tensor(oracle.logpdf(x.numpy())), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("family", FAMILIES)
def test_inverse_is_the_quantile_function(family):
    y = torch.tensor([1e-200, 1e-12, 0.1, 0.5, 0.9, 1 - 1e-9], dtype=torch.float64)
    x = family().double().inv(y)
    torch.testing.assert_close(x, torch.as_tensor(ORACLES[family].ppf(y.numpy())), rtol=2e-9, atol=1e-14)


@pytest.mark.parametrize("family", FAMILIES)
def test_single_precision_keeps_the_lower_tail(family):
    y = torch.logspace(-30, -1, 30)
    exact = family().double().inverse(y.double())
    torch.testing.assert_close(family().inverse(y).double(), exact, rtol=1e-6, atol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_values_never_reach_the_ends_and_the_ends_invert(family):
    y = family()(torch.tensor([-1e30, -100.0, 100.0, 1e30]))
    assert ((y > 0) & (y < 1)).all()
    x, log_det = family().inverse_and_log_det(torch.tensor([0.0, 1.0]))
    assert x.isfinite().all()
    assert log_det.isfinite().all()


@pytest.mark.parametrize(
    ("x", "expected"), [(40.0, -800.0 - 0.5 * math.log(2 * math.pi)), (-40.0, -800.0 - 0.5 * math.log(2 * math.pi))]
)
def test_normal_log_density_does_not_saturate(x, expected):
    assert NormalCDF().forward_log_det_jacobian(torch.tensor(x)).item() == pytest.approx(expected, rel=1e-6)


def test_cauchy_log_density_survives_overflowing_squares():
    log_det = CauchyCDF().forward_log_det_jacobian(torch.tensor(1e30))
    assert log_det.item() == pytest.approx(-math.log(math.pi) - 2 * math.log(1e30), rel=1e-6)


def test_gumbel_value_has_finite_gradients_far_left():
    x = torch.tensor([-200.0, -50.0], requires_grad=True)
    assert torch.autograd.grad(GumbelCDF()(x).sum(), x)[0].isfinite().all()


def test_scale_must_be_positive():
    with pytest.raises(ValueError, match="`scale` must satisfy"):
        NormalCDF(scale=-1.0)
