"""Planar maps: the formula of the paper, and invertibility for any parameters."""

import pytest
import torch

from probgen.distributions.bijectors import Planar


def made(*numbers):
    f = Planar((len(numbers) - 1) // 2).double()
    f.raw_parameters.data.copy_(torch.tensor(numbers, dtype=torch.float64))
    return f


def test_is_the_formula_where_it_is_invertible_already():
    w, u, b = torch.tensor([0.3, -0.2]).double(), torch.tensor([0.5, 0.1]).double(), 0.7  # w'u > 0, far below the bound of 10
    f = made(*w.tolist(), *u.tolist(), b)
    x = torch.randn(9, 2, dtype=torch.float64)
    expected = x + u * torch.tanh(x @ w + b)[:, None]
    torch.testing.assert_close(f(x), expected, rtol=0, atol=2e-3)  # soft bound: 10 tanh(0.5 / 10) = 0.49958


@pytest.mark.parametrize("numbers", [(1.0, 0.0, -9.0, 3.0, 0.0), (5.0, 5.0, -5.0, -5.0, 1.0), (1e-8, 0.0, -9.0, 1.0, 0.0)])
def test_is_invertible_where_the_raw_parameters_are_not(numbers):
    f = made(*numbers)
    x = torch.randn(200, 2, dtype=torch.float64) * 3
    y, log_det = f.forward_and_log_det(x)
    assert (log_det > -4.7).all()  # slopes above 0.01
    torch.testing.assert_close(f.inverse(y), x, atol=1e-9, rtol=1e-9)


def test_no_plane_is_a_translation_with_finite_derivatives():
    f = made(0.0, 0.0, 2.0, -1.0, 0.5)
    y, log_det = f.forward_and_log_det(torch.zeros(3, 2, dtype=torch.float64))
    assert (log_det == 0).all()
    torch.testing.assert_close(y, y[:1].expand(3, 2))
    (first,) = torch.autograd.grad(y.sum() + log_det.sum(), f.raw_parameters, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), f.raw_parameters)
    assert first.isfinite().all()
    assert second.isfinite().all()


def test_moves_only_along_u():
    f = made(1.0, 2.0, -1.0, 0.4, 0.1)
    x = torch.randn(50, 2, dtype=torch.float64)
    moved = f(x) - x
    torch.testing.assert_close(moved[:, 0] * moved[0, 1], moved[:, 1] * moved[0, 0])
    assert not f.exact_inverse
    assert f.fast_direction == "forward"


def test_gradients_are_right_at_the_start_where_the_constraint_changes_its_form():
    f = Planar(2).double()  # u = 0, so that w'u is zero exactly
    x = torch.randn(6, 2, dtype=torch.float64)

    def value(raw):
        y, log_det = torch.func.functional_call(_Both(f), {"f.raw_parameters": raw}, (x,))
        return y.square().sum() + log_det.sum()

    assert torch.autograd.gradcheck(value, f.raw_parameters.detach().clone().requires_grad_())


class _Both(torch.nn.Module):
    def __init__(self, f):
        super().__init__()
        self.f = f

    def forward(self, x):
        return self.f.forward_and_log_det(x)
