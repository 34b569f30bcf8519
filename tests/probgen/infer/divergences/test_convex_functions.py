"""The convex functions: Fenchel's equality and inequality, convexity, and activations that stay in the domain."""

import pytest
import torch

from probgen.infer.divergences.convex_functions import CONVEX_FUNCTIONS, ConvexFunction, damped, undamped

functions = pytest.mark.parametrize("function", CONVEX_FUNCTIONS.values(), ids=CONVEX_FUNCTIONS.keys())
U = torch.logspace(-3, 3, 61, dtype=torch.float64)


def slope_of(function, at):
    at = at.clone().requires_grad_()
    return torch.autograd.grad(function(at).sum(), at)[0]


@functions
def test_fenchel_equality_at_the_slope(function):
    t = function.slope(U)
    torch.testing.assert_close(function.value(U) + function.conjugate(t), U * t)


@functions
def test_fenchel_inequality_elsewhere(function):
    v = torch.linspace(-4, 4, 40, dtype=torch.float64)[:, None]
    t = function.activation(v)
    assert (function.value(U) + function.conjugate(t) >= U * t - 1e-9).all()


@functions
def test_slope_is_the_derivative_and_rises(function):
    torch.testing.assert_close(function.slope(U), slope_of(function.value, U))
    assert (slope_of(function.slope, U) > 0).all()
    assert function.value(torch.ones(())) == 0


@functions
def test_derivative_of_the_conjugate_inverts_the_slope(function):
    torch.testing.assert_close(slope_of(function.conjugate, function.slope(U)), U)


@functions
def test_activation_rises_within_the_domain(function):
    v = torch.linspace(-12, 12, 101, dtype=torch.float64)
    t = function.activation(v)
    assert (t < function.bound).all()
    assert (t.diff() > 0).all()
    torch.testing.assert_close(function.conjugate_of_activation(v), function.conjugate(t))


@functions
def test_best_output_gives_the_slope(function):
    torch.testing.assert_close(function.activation(function.best_output(U.log())), function.slope(U))
    torch.testing.assert_close(function.log_ratio(function.best_output(U.log())), U.log())


@functions
@pytest.mark.parametrize("v", [-1e4, -100.0, 100.0, 1e4])
def test_float32_does_not_overflow(function, v):
    v = torch.tensor(v, requires_grad=True)
    for part in (function.activation, function.conjugate_of_activation, function.log_ratio):
        value = part(v)
        assert value.isfinite()
        assert torch.autograd.grad(value, v)[0].isfinite()


def test_damping_changes_nothing_within_thirty():
    v = torch.linspace(-30, 30, 61, dtype=torch.float64)
    assert torch.equal(damped(v), v)
    assert torch.equal(slope_of(damped, v), torch.ones_like(v))
    far = torch.tensor([-1e4, -31.0, 31.0, 1e4], dtype=torch.float64)
    torch.testing.assert_close(undamped(damped(far)), far)
    torch.testing.assert_close(damped(far)[2:], 30 + (far[2:] - 29).log())


def test_functions_are_values():
    assert all(isinstance(function, ConvexFunction) for function in CONVEX_FUNCTIONS.values())
    with pytest.raises(TypeError):
        CONVEX_FUNCTIONS["mine"] = CONVEX_FUNCTIONS["kl"]
