"""The increasing function of planar and Sylvester maps."""

import pytest
import torch

from probgen.distributions.bijectors._ridge import bounded_slope, ridge, ridge_inverse


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inverse_finds_the_root_for_every_slope(dtype):
    slope = bounded_slope(torch.linspace(-30, 30, 41, dtype=dtype))[:, None]
    t = torch.cat([torch.linspace(-12, 12, 49, dtype=dtype), torch.tensor([-1e4, 1e4], dtype=dtype)])
    target, log_slope, bend = ridge(t, slope, torch.tensor(0.3, dtype=dtype))
    back, back_log_slope, back_bend = ridge_inverse(target, slope, torch.tensor(0.3, dtype=dtype))
    eps = torch.finfo(dtype).eps
    # rounding of the target, which a slope of 1 / 100 amplifies a hundredfold
    allowed = 64 * eps * (1 + target.abs()) * (1 + (-log_slope).exp())
    assert ((back - t).abs() <= allowed).all()
    assert ((back_bend - bend).abs() <= allowed).all()
    assert ((back_log_slope - log_slope).abs() <= 64 * eps * (1 + (-log_slope).exp()) ** 2 * 100).all()


def test_derivative_is_that_of_autograd():
    t = torch.linspace(-5, 5, 31, dtype=torch.float64, requires_grad=True)
    value, log_slope, _ = ridge(t, torch.tensor(-0.95), torch.tensor(0.2))
    (gradient,) = torch.autograd.grad(value.sum(), t)
    torch.testing.assert_close(gradient.log(), log_slope)


def test_slopes_are_bounded_and_zero_is_neutral():
    assert bounded_slope(torch.tensor(0.0)) == 0
    assert bounded_slope(torch.tensor([-1e9, 1e9], dtype=torch.float64)).tolist() == pytest.approx([-0.99, 99.0])
