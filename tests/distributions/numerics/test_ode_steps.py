"""Fixed steps: orders, structure, transforms, gradients, errors."""

import math

import pytest
import torch

from probgen.distributions.numerics.ode_steps import as_grid, solve_on_grid

ORDERS = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "dopri5": 5, "verner8": 8}
STAGES = {"euler": 1, "midpoint": 2, "heun": 2, "rk4": 4, "dopri5": 6, "verner8": 11}


def pendulum(t, y):
    """A nonlinear field that depends on time."""
    return torch.stack([y[1] * torch.cos(t), -torch.sin(y[0]) - 0.3 * y[1] + 0.5 * torch.sin(2 * t)])


def start():
    return torch.tensor([1.0, -0.5], dtype=torch.float64)


@pytest.mark.parametrize("method", ORDERS)
def test_observed_order_on_a_nonlinear_field(method):
    exact = solve_on_grid(pendulum, start(), torch.linspace(0, 2, 401, dtype=torch.float64), method="verner8").state
    errors = []
    for steps in (8, 16) if method == "verner8" else (80, 160):
        grid = torch.linspace(0, 2, steps + 1, dtype=torch.float64)
        errors.append(float((solve_on_grid(pendulum, start(), grid, method=method).state - exact).norm()))
    assert math.log2(errors[0] / errors[1]) == pytest.approx(ORDERS[method], abs=0.45)


@pytest.mark.parametrize("method", ORDERS)
def test_linear_field_is_the_matrix_exponential(method):
    matrix = torch.tensor([[0.2, 1.0, 0.0], [-0.7, -0.1, 0.3], [0.1, 0.0, 0.4]], dtype=torch.float64)
    y = torch.eye(3, dtype=torch.float64)
    grid = torch.linspace(0, 1.5, 61, dtype=torch.float64)
    got = solve_on_grid(lambda t, y: y @ matrix.T, y, grid, method=method).state
    step = 1.5 / 60
    assert (got - torch.linalg.matrix_exp(1.5 * matrix).T).abs().max() < 4 * step ** ORDERS[method] + 1e-14


@pytest.mark.parametrize("method", ORDERS)
def test_evaluations_are_counted(method):
    calls = []

    def counted(t, y):
        calls.append(float(t))
        return -y

    solution = solve_on_grid(counted, torch.ones(2), (0.0, 0.5, 2.0), method=method)
    assert solution.evaluations == len(calls) == 2 * STAGES[method]
    assert min(calls) == 0.0
    assert max(calls) <= 2.0


def test_time_runs_either_way_and_returns():
    grid = [0.0, 0.1, 0.3, 0.6, 1.0]
    there = solve_on_grid(pendulum, start(), grid, method="verner8").state
    back = solve_on_grid(pendulum, there, grid[::-1], method="verner8").state
    assert (there - start()).abs().max() > 0.1
    assert (back - start()).abs().max() < 1e-8


def test_tuples_keep_their_structure_and_integrals_are_added_up():
    def function(t, state):
        x, _ = state
        return -x, x.sum()

    grid = torch.linspace(0, 1, 21, dtype=torch.float64)
    y, area = start(), torch.zeros((), dtype=torch.float64)
    plain = solve_on_grid(function, (y, area), grid)
    marked = solve_on_grid(function, (y, area), grid, num_integrals=1)
    assert isinstance(marked.state, tuple)
    assert torch.allclose(marked.state[1], plain.state[1], atol=1e-14)
    assert float(marked.state[1]) == pytest.approx(float(y.sum()) * (1 - math.exp(-1)), abs=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_is_kept_and_time_has_it(dtype):
    seen = set()

    def function(t, y):
        seen.add((t.dtype, t.shape))
        return t * y

    assert solve_on_grid(function, torch.ones(2, dtype=dtype), (0.0, 1.0)).state.dtype == dtype
    assert seen == {(dtype, torch.Size())}


def test_gradients_are_those_of_the_discrete_map():
    rate = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    result = solve_on_grid(lambda t, y: rate * y, y, (0.0, 0.5, 1.0), method="euler").state
    first = torch.autograd.grad(result, (rate, y), create_graph=True)
    assert float(first[0].detach()) == pytest.approx(2 * 2 * 1.35 * 0.5)  # of 2 (1 + rate / 2)^2
    assert float(first[1].detach()) == pytest.approx(1.35**2)
    assert float(torch.autograd.grad(first[0], rate)[0]) == pytest.approx(2 * 2 * 0.25)


def test_vmap_equals_a_loop():
    points = torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def solve(y):
        return solve_on_grid(pendulum, y, (0.0, 0.2, 0.5)).state

    assert torch.allclose(torch.vmap(solve)(points), torch.stack([solve(y) for y in points]), atol=1e-14)


@pytest.mark.parametrize(
    "times", [[0.0], [], [0.0, 0.0], [0.0, 1.0, 0.5], [0.0, math.inf], [0.0, math.nan], torch.zeros(2, 2), torch.tensor(1.0)]
)
def test_what_is_no_grid_is_refused(times):
    with pytest.raises(ValueError, match="`times` must be"):
        as_grid(times)
