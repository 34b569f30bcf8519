"""The root finder: accuracy on hard functions, honesty, derivatives, and PyTorch's function transforms."""

import math

import pytest
import torch

from probgen.distributions.numerics.roots import invert_increasing


def _constant(x, slope):
    return torch.full_like(x, math.log(slope))


def _kink(left, right):
    def function(x):
        below = x < 1
        return torch.where(below, left * (x - 1), right * (x - 1)), torch.where(below, _constant(x, left), _constant(x, right))

    return function


def _stairs(width, floor):
    def function(x):
        centers = torch.tensor([-30.0, -7.0, -2.0, -0.5, 0.1, 1.0, 4.0, 20.0], dtype=x.dtype)
        z = (x[..., None] - centers) / width
        slope = 2 * (torch.sigmoid(z) * torch.sigmoid(-z)).sum(-1) / width + floor
        return 2 * torch.sigmoid(z).sum(-1) + floor * x, slope.log()

    return function


HARD = {
    "slope 1e-8": lambda x: (1e-8 * x, _constant(x, 1e-8)),
    "slope 1e8": lambda x: (1e8 * x, _constant(x, 1e8)),
    "affine": lambda x: (2 * x + 300, _constant(x, 2.0)),
    "nearly flat cubic": lambda x: ((x - 3) ** 3 + 1e-6 * x, torch.log(3 * (x - 3) ** 2 + 1e-6)),
    "septic": lambda x: ((x - 3) ** 7 + 1e-3 * x, torch.log(7 * (x - 3) ** 6 + 1e-3)),
    "square root": lambda x: (x.sign() * ((x.abs() + 1e-6).sqrt() - 1e-3), -torch.log(2 * (x.abs() + 1e-6).sqrt())),
    "logarithm": lambda x: (torch.asinh(x), -0.5 * torch.log1p(x * x)),
    "kink from 1e-8": _kink(1e-8, 1.0),
    "kink to 1e-8": _kink(1.0, 1e-8),
    "kink by 1e8": _kink(1e-4, 1e4),
    "stairs": _stairs(0.1, 1e-2),
    "steep stairs": _stairs(1e-3, 1e-3),
}


def _excess(function, x, dtype):
    """Share of rejected elements, and the error in units of what rounding of y and conditioning explain."""
    y = function(x)[0]
    solved, log_slope = invert_increasing(function, y)
    rejected = solved.isnan()
    condition = (1 + y.abs()) * torch.exp(-log_slope)
    error = (solved - x).abs() / (torch.finfo(dtype).eps * (1 + x.abs() + condition))
    return rejected.double().mean().item(), error[~rejected].max().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("scale", [1.0, 10.0, 1e4])
def test_reaches_machine_accuracy_on_hard_functions(name, dtype, scale):
    x = scale * torch.randn(500, dtype=dtype)
    rejected, error = _excess(HARD[name], x, dtype)
    assert rejected == 0
    assert error < 64


def test_exponential_growth_up_to_overflow():
    x = torch.linspace(-87, 87, 200)
    solved, _ = invert_increasing(lambda x: (torch.sinh(x), torch.log(torch.cosh(x))), torch.sinh(x))
    torch.testing.assert_close(solved, x, rtol=1e-5, atol=1e-6)


def test_counts_its_evaluations():
    calls = []

    def function(x):
        calls.append(None)
        return x + x**3, torch.log1p(3 * x**2)

    invert_increasing(function, torch.randn(3), evaluations=17)
    assert len(calls) == 17


def test_rejects_too_few_evaluations():
    with pytest.raises(ValueError, match="`evaluations` must be at least 6; got 5"):
        invert_increasing(lambda x: (x, torch.zeros_like(x)), torch.ones(1), evaluations=5)


def test_a_target_outside_the_image_is_nan():
    x, log_slope = invert_increasing(lambda x: (torch.tanh(x), -2 * torch.log(torch.cosh(x))), torch.tensor([0.5, 1.5]))
    assert x.isnan().tolist() == log_slope.isnan().tolist() == [False, True]


def test_too_few_evaluations_for_a_hard_function_are_nan_not_wrong():
    x = 100 * torch.randn(2000, dtype=torch.float64)
    function = HARD["steep stairs"]
    solved, log_slope = invert_increasing(function, function(x)[0], evaluations=9)
    rejected = solved.isnan()
    assert 0 < rejected.double().mean() < 0.9
    residual = (function(solved)[0] - function(x)[0]).abs()
    allowed = 1e-14 * (1 + function(x)[0].abs() + (1 + x.abs()) * log_slope.exp())
    assert (residual <= 2 * allowed)[~rejected].all()


def test_nan_and_infinite_targets_are_nan():
    y = torch.tensor([math.nan, math.inf, -math.inf, 1.0])
    x, _ = invert_increasing(lambda x: (2 * x, _constant(x, 2.0)), y)
    assert x.isnan().tolist() == [True, True, True, False]


def test_bounds_are_used():
    y = torch.linspace(-3, 3, 7, dtype=torch.float64)

    def undefined_outside(x):  # a Bernstein-like map that is defined on (-5, 5) only
        return torch.where(x.abs() < 5, x**3 / 9, math.nan), torch.log(x**2 / 3 + 1e-30)

    x, _ = invert_increasing(undefined_outside, y, bounds=(torch.tensor(-4.0), torch.tensor(4.0)))
    torch.testing.assert_close(x**3 / 9, y)


def _solve(y, a, b, evaluations=30):
    """A map with two captured parameters."""
    return invert_increasing(
        lambda x: (a * torch.sinh(x) + b * x, torch.log(a * torch.cosh(x) + b)), y, evaluations=evaluations
    )


def _inputs():
    y = torch.tensor([-7.0, -0.3, 0.0, 2.0, 55.0], dtype=torch.float64, requires_grad=True)
    a = torch.tensor([0.7, 1e-2, 0.5, 2.0, 1.0], dtype=torch.float64, requires_grad=True)
    b = torch.tensor(0.4, dtype=torch.float64, requires_grad=True)
    return y, a, b


def test_first_derivatives():
    assert torch.autograd.gradcheck(_solve, _inputs(), check_forward_ad=True, check_batched_grad=True)


def test_second_derivatives():
    assert torch.autograd.gradgradcheck(_solve, _inputs())


def test_function_transforms_agree_with_autograd():
    y, a, b = (t.detach() for t in _inputs())
    reverse = torch.func.jacrev(lambda *args: _solve(*args)[0], argnums=(0, 1, 2))(y, a, b)
    forward = torch.func.jacfwd(lambda *args: _solve(*args)[0], argnums=(0, 1, 2))(y, a, b)
    for left, right in zip(reverse, forward, strict=True):
        torch.testing.assert_close(left, right)
    second = torch.func.hessian(lambda b: _solve(y, a, b)[0].sum())(b)
    first = torch.func.grad(lambda b: _solve(y, a, b)[0].sum())
    torch.testing.assert_close(second, (first(b + 1e-5) - first(b - 1e-5)) / 2e-5, rtol=1e-6, atol=1e-8)
    batched = torch.func.vmap(_solve, in_dims=(0, 0, None))(y, a, b)
    torch.testing.assert_close(batched, _solve(y, a, b))


def test_compiles_whole():
    y, a, b = (t.detach() for t in _inputs())
    expected = _solve(y, a, b, evaluations=14)
    compiled = torch.compile(lambda y, a, b: _solve(y, a, b, evaluations=14), fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(y, a, b), expected)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (4, 1, 2)])
def test_any_batch_shape(shape):
    y = torch.randn(shape)
    x, log_slope = invert_increasing(lambda x: (3 * x, _constant(x, 3.0)), y)
    assert x.shape == log_slope.shape == shape
    torch.testing.assert_close(3 * x, y)
