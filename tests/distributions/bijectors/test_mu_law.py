"""Mu-law companding: the value of the standard, slopes, ends, other constants."""

import math

import pytest
import torch

from probgen.distributions.bijectors import MuLaw


def test_values_and_slopes():
    f = MuLaw()
    x = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0], dtype=torch.float64)
    y = f(x)
    torch.testing.assert_close(y[3], torch.tensor(0.87570307, dtype=torch.float64), atol=5e-9, rtol=0)
    assert y[[0, 2, 4]].tolist() == [-1, 0, 1]
    assert torch.equal(y, -y.flip(0))
    slope = f.forward_log_det_jacobian(x).exp()
    expected = 255 / (math.log(256) * (1 + 255 * x.abs()))
    torch.testing.assert_close(slope, expected)
    torch.testing.assert_close(slope[2] / slope[4], torch.tensor(256.0, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ends_stay_ends(dtype):
    f, ends = MuLaw(), torch.tensor([-1.0, 1.0], dtype=dtype)
    assert torch.equal(f(ends), ends)
    back = f.inverse(ends)
    assert (back.abs() <= 1).all()
    torch.testing.assert_close(back, ends, atol=8 * torch.finfo(dtype).eps, rtol=0)


def test_a_small_constant_is_nearly_the_identity():
    x = torch.linspace(-1, 1, 11).double()
    torch.testing.assert_close(MuLaw(1e-6)(x), x, atol=1e-6, rtol=0)


@pytest.mark.parametrize("mu", [0.0, -1.0, math.nan, math.inf])
def test_the_constant_is_positive(mu):
    with pytest.raises(ValueError, match="`mu` must be positive and finite; got"):
        MuLaw(mu)


def test_derivatives_at_silence_are_the_slopes_there():
    f, zero = MuLaw(), torch.zeros(1, dtype=torch.float64, requires_grad=True)
    slope = 255 / math.log(256)
    for call, expected in ((f.forward, slope), (f.inverse, 1 / slope)):
        (got,) = torch.autograd.grad(call(zero).sum(), zero)
        torch.testing.assert_close(got, torch.full((1,), expected, dtype=torch.float64))
