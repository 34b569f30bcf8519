"""Adaptive steps: the tolerance is kept, for each sample; failures are loud; costs are counted."""

import math

import pytest
import torch

from probgen.distributions.numerics.ode_adaptive import IntegrationError, solve_adaptively
from probgen.distributions.numerics.ode_steps import solve_on_grid


def pendulum(t, y):
    return torch.stack([y[..., 1], -torch.sin(y[..., 0]) + 0.5 * torch.sin(2 * t)], -1)


def points(count=6, dtype=torch.float64):
    return torch.randn(count, 2, dtype=dtype, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-7, 1e-9, 1e-11])
def test_tolerance_is_respected(tolerance):
    grid = torch.linspace(0, 3, 301, dtype=torch.float64)
    exact = solve_on_grid(pendulum, points(), grid, method="verner8").state
    solution = solve_adaptively(pendulum, points(), (0.0, 3.0), rtol=tolerance, atol=tolerance, batch_dims=1)
    assert (solution.state - exact).abs().max() < 20 * tolerance


def test_cost_grows_as_the_fifth_root_of_the_accuracy():
    costs = [
        solve_adaptively(pendulum, points(), (0.0, 3.0), rtol=10.0**-n, atol=10.0**-n, batch_dims=1).evaluations
        for n in (6, 11)
    ]
    assert 7 < costs[1] / costs[0] < 12  # 10 expected


def test_evaluations_are_counted():
    calls = []

    def counted(t, y):
        calls.append(float(t))
        return -y * (1 + 5 * (t > 0.5))

    solution = solve_adaptively(counted, torch.ones(2, dtype=torch.float64), (0.0, 1.0), rtol=1e-8, atol=1e-8)
    assert solution.evaluations == len(calls)
    assert (len(calls) - 2) % 6 == 0  # six a step: the last slope is the first of the next step
    assert solution.state[0] == pytest.approx(math.exp(-0.5 - 3.0), abs=1e-7)


def test_a_hard_sample_is_not_diluted_by_easy_ones():
    """The error counts each sample: a thousand resting mates change the result by less than the tolerance."""

    def function(t, y):
        return torch.stack([y[:, 1], -400 * y[:, 0]], -1)

    hard = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    batch = torch.cat([hard, torch.zeros(999, 2, dtype=torch.float64)])
    alone = solve_adaptively(function, hard, (0.0, 1.0), rtol=1e-6, atol=1e-6, batch_dims=1)
    together = solve_adaptively(function, batch, (0.0, 1.0), rtol=1e-6, atol=1e-6, batch_dims=1)
    diluted = solve_adaptively(function, batch, (0.0, 1.0), rtol=1e-6, atol=1e-6, batch_dims=0)
    exact = torch.tensor([math.cos(20), -20 * math.sin(20)], dtype=torch.float64)
    assert torch.equal(together.state[0], alone.state[0])
    assert (together.state[0] - exact).abs().max() < 2e-4
    assert (diluted.state[0] - exact).abs().max() > 3 * (together.state[0] - exact).abs().max()


def test_backwards_in_time_returns():
    there = solve_adaptively(pendulum, points(), (0.0, 2.0), rtol=1e-10, atol=1e-10).state
    back = solve_adaptively(pendulum, there, (2.0, 0.0), rtol=1e-10, atol=1e-10).state
    assert (back - points()).abs().max() < 1e-8


def test_a_tolerance_below_rounding_costs_a_few_steps_not_thousands():
    solution = solve_adaptively(pendulum, points(dtype=torch.float32), (0.0, 1.0), rtol=1e-12, atol=1e-14, batch_dims=1)
    assert solution.evaluations < 500
    exact = solve_adaptively(pendulum, points(), (0.0, 1.0), rtol=1e-10, atol=1e-10).state
    assert solution.state.dtype == torch.float32
    assert (solution.state - exact).abs().max() < 2e-6


def test_gradients_flow_through_accepted_steps():
    y = torch.tensor([1.0, 0.5], dtype=torch.float64, requires_grad=True)
    result = solve_adaptively(lambda t, y: -y, y, (0.0, 1.0), rtol=1e-10, atol=1e-10).state
    (grad,) = torch.autograd.grad(result.sum(), y)
    assert torch.allclose(grad, torch.full((2,), math.exp(-1), dtype=torch.float64), atol=1e-9)
    _, tangent = torch.func.jvp(
        lambda v: solve_adaptively(lambda t, y: -y, v, (0.0, 1.0), rtol=1e-10, atol=1e-10).state,
        (y.detach(),),
        (torch.ones(2, dtype=torch.float64),),
    )
    assert torch.allclose(tangent, grad, atol=1e-9)


def test_nan_stays_with_its_sample():
    batch = points()
    batch[2, 0] = math.nan
    got = solve_adaptively(pendulum, batch, (0.0, 1.0), batch_dims=1).state
    clean = solve_adaptively(pendulum, points(), (0.0, 1.0), batch_dims=1).state
    keep = torch.tensor([0, 1, 3, 4, 5])
    assert got[2].isnan().all()
    assert torch.allclose(got[keep], clean[keep], atol=1e-5)


def test_nothing_moves_and_nothing_is_there():
    still = solve_adaptively(lambda t, y: torch.zeros_like(y), torch.ones(3), (0.0, 1.0))
    assert torch.equal(still.state, torch.ones(3))
    assert solve_adaptively(lambda t, y: -y, torch.ones(0, 2), (0.0, 1.0), batch_dims=1).state.shape == (0, 2)


def test_a_start_near_zero_does_not_make_the_first_step_vanish():
    start = torch.full((3, 2), 1e-17, dtype=torch.float64)
    solution = solve_adaptively(lambda t, y: torch.cos(y), start, (0.0, 0.05), rtol=1e-14, atol=1e-14, batch_dims=1)
    assert solution.evaluations < 200
    gudermann = 2 * math.atan(math.tanh(0.025))  # of y' = cos y
    assert torch.allclose(solution.state, torch.full((3, 2), gudermann, dtype=torch.float64), atol=1e-14)


def test_too_few_steps_is_an_error_that_says_how_far_it_came():
    with pytest.raises(IntegrationError, match=r"5 steps \(`max_steps`\) reached t = 0\.\d+ of 1 at rtol = 1e-09"):
        solve_adaptively(lambda t, y: torch.cos(50 * t) * y, torch.ones(2, dtype=torch.float64), (0, 1), rtol=1e-9, max_steps=5)


def test_blow_up_is_an_error():
    """y' = y^2 from 1 is infinite at t = 1."""
    with pytest.raises(IntegrationError, match=r"length of a step fell to|steps"):
        solve_adaptively(lambda t, y: y**2, torch.ones((), dtype=torch.float64), (0.0, 1.5), max_steps=2000)


def test_a_field_that_is_not_finite_is_an_error():
    with pytest.raises(IntegrationError, match=r"the length of a step fell to .* at t = 0\.\d+ of 1"):
        solve_adaptively(lambda t, y: -y / (t < 0.5), torch.ones((), dtype=torch.float64), (0.0, 1.0))


def test_vmap_is_refused_with_advice():
    with pytest.raises(IntegrationError, match="use a solver with fixed steps"):
        torch.vmap(lambda y: solve_adaptively(lambda t, y: -y, y, (0.0, 1.0)).state)(torch.ones(3))


def test_settings_are_checked():
    with pytest.raises(ValueError, match="must be two times; got 3"):
        solve_adaptively(lambda t, y: -y, torch.ones(1), (0.0, 0.5, 1.0))
    with pytest.raises(ValueError, match=r"`rtol` and `atol` must be positive; got 0.0 and 1e-06"):
        solve_adaptively(lambda t, y: -y, torch.ones(1), (0.0, 1.0), rtol=0.0)
