"""Radial maps: the formula of the paper, its inverse in closed form, the center."""

import math

import pytest
import torch

from probgen.distributions.bijectors import Radial


def made(center, alpha, ratio):
    """With 1 + beta / alpha = ratio."""
    f = Radial(len(center)).double()
    bound = math.log(1e2)
    raw = [bound * math.atanh(math.log(value) / bound) for value in (alpha, ratio)]
    f.raw_parameters.data.copy_(torch.tensor([*center, *raw], dtype=torch.float64))
    return f


@pytest.mark.parametrize(("alpha", "ratio"), [(1.0, 3.0), (0.05, 0.02), (20.0, 50.0)])
def test_is_the_formula_and_inverts_far_out(alpha, ratio):
    f, beta = made([0.5, -1.0], alpha, ratio), alpha * (ratio - 1)
    x = torch.randn(60, 2, dtype=torch.float64) * torch.tensor([1.0, 1e4], dtype=torch.float64)
    offset = x - torch.tensor([0.5, -1.0], dtype=torch.float64)
    expected = x + beta * offset / (alpha + offset.norm(dim=-1, keepdim=True))
    torch.testing.assert_close(f(x), expected)
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-9, atol=1e-9)


def test_the_center_stays_and_everything_there_is_finite():
    f = made([1.0, 2.0], 0.5, 0.1)
    center = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
    for value, log_det in (f.forward_and_log_det(center), f.inverse_and_log_det(center)):
        torch.testing.assert_close(value, center)
        (first,) = torch.autograd.grad(log_det + value.sum(), center, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), center)
        assert first.isfinite().all()
        assert second.isfinite().all()
    assert f.forward_and_log_det(center)[1].item() == pytest.approx(2 * math.log(0.1))
