"""Masses of intervals against arbitrary precision, values and gradients, from the middle to far outside."""

import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from probgen.distributions.numerics.intervals import log_normal_tail, logistic_log_mass, normal_log_mass


def normal_truth(lower, width):
    """Log-mass and its derivative when the interval is moved, in arbitrary precision."""
    with mpmath.workdps(60):
        a = mpmath.mpf(lower)
        b = a + mpmath.mpf(width)
        near, far = (a, b) if a + b >= 0 else (-b, -a)
        mass = (mpmath.erfc(near / mpmath.sqrt(2)) - mpmath.erfc(far / mpmath.sqrt(2))) / 2
        return float(mpmath.log(mass)), float((mpmath.npdf(b) - mpmath.npdf(a)) / mass)


def logistic_truth(lower, width):
    """The same for the logistic law."""
    with mpmath.workdps(60):
        a = mpmath.mpf(lower)
        b = a + mpmath.mpf(width)
        left, right = 1 / (1 + mpmath.exp(-a)), 1 / (1 + mpmath.exp(-b))
        if a + b > 0:
            left, right = 1 - 1 / (1 + mpmath.exp(a)), 1 - 1 / (1 + mpmath.exp(b))
        if a > 30:
            left, right = -1 / (1 + mpmath.exp(a)), -1 / (1 + mpmath.exp(b))
        slope = [mpmath.sech(end / 2) ** 2 / 4 for end in (a, b)]
        return float(mpmath.log(right - left)), float((slope[1] - slope[0]) / (right - left))


lowers = st.one_of(st.just(0.0), st.floats(-12, 12), st.floats(-500, 500)).filter(lambda x: x == 0 or abs(x) > 1e-6)
widths = st.floats(-6, 3).map(lambda exponent: 10**exponent)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 3e-6)])
@pytest.mark.parametrize(("log_mass", "truth"), [(normal_log_mass, normal_truth), (logistic_log_mass, logistic_truth)])
@given(lower=lowers, width=widths)
def test_value_and_gradient_have_full_relative_accuracy(log_mass, truth, dtype, tolerance, lower, width):
    a, w = torch.tensor(lower, dtype=dtype, requires_grad=True), torch.tensor(width, dtype=dtype)
    value = log_mass(a, a + w, w)
    (grad,) = torch.autograd.grad(value, a)
    expected, slope = truth(a.item(), w.item())
    rounding = torch.finfo(dtype).eps * abs(slope) * (abs(lower) + width)  # of a + w, which is what the function sees
    assert value.item() == pytest.approx(expected, rel=tolerance, abs=tolerance + 2 * rounding)
    spread = torch.finfo(dtype).eps * (abs(lower) + width) * (1 + abs(slope))
    assert grad.item() == pytest.approx(slope, rel=10 * tolerance, abs=10 * tolerance + 4 * spread)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tail_and_its_derivatives_at_any_distance(dtype):
    y = torch.tensor([-1e6, -40.0, -1.0, 0.0, 1.0, 7.9, 8.1, 40.0, 1e4], dtype=dtype, requires_grad=True)
    value = log_normal_tail(y)
    (first,) = torch.autograd.grad(value.sum(), y, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), y)
    with mpmath.workdps(50):
        tails = [mpmath.erfc(mpmath.mpf(point) / mpmath.sqrt(2)) / 2 for point in y.tolist()]
        hazard = [mpmath.npdf(point) / tail for point, tail in zip(y.tolist(), tails, strict=True)]
        logs = torch.tensor([float(mpmath.log(tail)) for tail in tails], dtype=dtype)
        bends = torch.tensor([float(h * (p - h)) for h, p in zip(hazard, y.tolist(), strict=True)], dtype=dtype)
    slopes = torch.tensor([-float(value) for value in hazard], dtype=dtype)
    tolerance = 1e-13 if dtype == torch.float64 else 3e-6
    for found, expected, loss in ((value, logs, 1), (first, slopes, 1), (second, bends, 64)):  # h (h - y) loses y^2 of digits
        assert torch.allclose(found, expected, rtol=loss * tolerance, atol=loss * tolerance)


def test_fraction_and_direct_form_meet():
    y = torch.tensor([8.0 - 1e-12, 8.0 + 1e-12], dtype=torch.float64)
    tails = log_normal_tail(y)
    assert abs(float(tails[0] - tails[1]) - 2e-12 * 8.1) < 1e-13


@pytest.mark.parametrize("log_mass", [normal_log_mass, logistic_log_mass])
def test_open_ends(log_mass):
    x = torch.tensor([-30.0, -1.0, 0.0, 2.0, 50.0], dtype=torch.float64, requires_grad=True)
    far = torch.full_like(x, torch.inf)
    right, left = log_mass(x, far, far), log_mass(-far, -x, far)
    assert torch.allclose(right, left)
    (grad,) = torch.autograd.grad((right + left).sum(), x)
    assert bool(grad.isfinite().all())
    assert bool((grad[1:] < 0).all())
    expected = log_normal_tail(x) if log_mass is normal_log_mass else -torch.nn.functional.softplus(x, threshold=1000)
    assert torch.allclose(right, expected, rtol=1e-14)


@pytest.mark.parametrize("log_mass", [normal_log_mass, logistic_log_mass])
def test_transforms_and_second_derivatives(log_mass):
    x = torch.tensor([-9.0, -0.7, 0.0, 0.3, 6.0], dtype=torch.float64, requires_grad=True)

    def function(x):
        return log_mass(x, x + 0.4, torch.tensor(0.4, dtype=torch.float64))

    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)
    assert torch.equal(torch.func.vmap(function)(x.detach()), function(x.detach()))
    _, tangent = torch.func.jvp(function, (x.detach(),), (torch.ones_like(x),))
    assert torch.allclose(tangent, torch.autograd.grad(function(x).sum(), x)[0])


def test_nan_stays():
    nan = torch.tensor(math.nan)
    assert normal_log_mass(nan, nan, torch.tensor(1.0)).isnan()
    assert logistic_log_mass(nan, nan, torch.tensor(1.0)).isnan()
