import pytest
import torch

from probgen.distributions.numerics.stable import (
    arsinh,
    log1mexp,
    log_cosh,
    logsigmoid_derivative,
    soft_clip,
    softplus_inverse,
    sum_rightmost,
)


def test_log1mexp_keeps_relative_accuracy_at_both_ends():
    a = torch.tensor([1e-30, 1e-8, 0.3, 0.7, 5.0, 80.0])
    wide = a.double()
    exact = torch.where(wide < 0.5, torch.log(-torch.expm1(-wide)), torch.log1p(-torch.exp(-wide)))
    torch.testing.assert_close(log1mexp(a).double(), exact, rtol=3e-7, atol=0)


def test_softplus_inverse_undoes_softplus():
    x = torch.linspace(-700, 700, 141, dtype=torch.float64)
    y = torch.logaddexp(x, torch.zeros_like(x))
    torch.testing.assert_close(softplus_inverse(y), x, rtol=1e-13, atol=1e-13)


def test_log_cosh_and_arsinh_match_torch_in_double_precision():
    x = torch.linspace(-20, 20, 81, dtype=torch.float64)
    torch.testing.assert_close(log_cosh(x), torch.cosh(x).log(), rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(arsinh(x), torch.asinh(x), rtol=1e-14, atol=0)


@pytest.mark.parametrize("function", [log_cosh, arsinh, logsigmoid_derivative])
def test_far_out_and_at_zero_values_and_both_derivatives_are_finite(function):
    x = torch.tensor([-1e30, -200.0, 0.0, 1e-30, 200.0, 1e30], requires_grad=True)
    value = function(x)
    first = torch.autograd.grad(value.sum(), x, create_graph=True)[0]
    second = torch.autograd.grad(first.sum(), x)[0]
    for tensor in (value, first, second):
        assert tensor.isfinite().all()


def test_logsigmoid_derivative_is_the_log_density_of_the_logistic():
    x = torch.linspace(-30, 30, 61, dtype=torch.float64)
    torch.testing.assert_close(logsigmoid_derivative(x), torch.sigmoid(x).log() + torch.sigmoid(-x).log())


def test_soft_clip_is_bounded_and_the_identity_near_zero():
    x = torch.tensor([-1e30, -1e-3, 1e-3, 1e30])
    torch.testing.assert_close(soft_clip(x, 5.0), torch.tensor([-5.0, -1e-3, 1e-3, 5.0]))


@pytest.mark.parametrize(("dims", "shape"), [(0, (2, 3, 4)), (1, (2, 3)), (3, ())])
def test_sum_rightmost_sums_the_last_axes(dims, shape):
    value = torch.randn(2, 3, 4)
    total = sum_rightmost(value, dims)
    assert total.shape == shape
    torch.testing.assert_close(total.sum(), value.sum())
