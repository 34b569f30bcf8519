"""Bernstein polynomials: closed forms, ends, tails, smoothness."""

import pytest
import torch

from probgen.distributions.bijectors import Bernstein


def test_zero_parameters_are_exactly_the_identity():
    x = torch.cat([torch.randn(50) * 4, torch.tensor([-5.0, 5.0, -1e4, 1e4])])
    y, log_det = Bernstein().forward_and_log_det(x)
    torch.testing.assert_close(y, x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(log_det, torch.zeros_like(x), atol=1e-5, rtol=0)


def test_degree_two_has_the_closed_form():
    f = Bernstein(2, bound=1.0, heights=torch.tensor([0.2, 0.8], dtype=torch.float64))
    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    t = (x + 1) / 2
    torch.testing.assert_close(f(x), -1 + 2 * (0.2 * 2 * t * (1 - t) + t**2))


def test_is_continuously_differentiable_at_the_bound():
    f = Bernstein(6, bound=2.0, shape=(1,)).double()
    torch.nn.init.normal_(f.raw_heights)
    for end in (-2.0, 2.0):
        around = torch.tensor([end - 1e-9, end, end + 1e-9], dtype=torch.float64)
        y, log_det = f.forward_and_log_det(around)
        torch.testing.assert_close(y, y[1].expand(3), rtol=0, atol=1e-7)
        torch.testing.assert_close(log_det, log_det[1].expand(3), rtol=0, atol=1e-6)
        slope = torch.autograd.functional.jacobian(f, around).diagonal()
        torch.testing.assert_close(slope, log_det.exp())


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-4), (torch.float64, 1e-12)])
@pytest.mark.parametrize("degree", [1, 5, 32])
def test_inverts_inside_and_outside(dtype, tolerance, degree):
    f = Bernstein(degree, shape=(7,)).to(dtype)
    torch.nn.init.normal_(f.raw_heights)
    x = torch.randn(40, 7, dtype=dtype) * torch.tensor([0.1, 1, 4, 6, 50, 1e3, 1e4], dtype=dtype)
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"degree": 0}, "`degree` must be between 1 and 64; got 0"),
        ({"bound": -1.0}, "`bound` must be positive and finite; got -1"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Bernstein(**arguments)


@pytest.mark.parametrize("x", [-30.0, -5.0, 5.0, 30.0])
def test_second_derivatives_are_finite_at_and_beyond_the_bound(x):
    f = Bernstein(6).double()
    point = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    for value in (*f.forward_and_log_det(point), *f.inverse_and_log_det(point)):
        (first,) = torch.autograd.grad(value + 0 * point, point, create_graph=True)
        (second,) = torch.autograd.grad(first + 0 * point, point, retain_graph=True)
        assert first.isfinite()
        assert second.isfinite()
