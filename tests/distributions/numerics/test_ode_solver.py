"""Settings of a solver: what goes together, what is refused, and that they are a value."""

import pickle

import pytest
import torch

from probgen.distributions.numerics.ode_solver import OdeSolver, make_solver


def test_equal_steps_end_exactly_at_the_last_time():
    solver = make_solver("rk4", (1.0, 1e-5), steps=7)
    assert (solver.times[0], solver.times[-1], len(solver.times), solver.adaptive) == (1.0, 1e-5, 8, False)


def test_a_grid_is_taken_as_it_is():
    grid = torch.linspace(0, 1, 5, dtype=torch.float64) ** 2
    assert make_solver("dopri5", grid).times == (0.0, 0.0625, 0.25, 0.5625, 1.0)
    assert not make_solver("dopri5", grid).adaptive


def test_only_a_method_with_an_error_estimate_chooses_its_steps():
    assert make_solver("dopri5", (0.0, 1.0)).adaptive
    for method in ("euler", "midpoint", "heun", "rk4", "verner8"):
        with pytest.raises(ValueError, match=r"has no error estimate: give `steps`.*would be one step"):
            make_solver(method, (0.0, 1.0))


def test_settings_are_a_value():
    solver = make_solver("dopri5", (0.0, 1.0), rtol=1e-3)
    assert pickle.loads(pickle.dumps(solver)) == solver == OdeSolver("dopri5", (0.0, 1.0), True, rtol=1e-3)


@pytest.mark.parametrize("settings", [{"steps": 8}, {}])
def test_reverse_returns(settings):
    solver = make_solver("dopri5", (2.0, 1.0), **settings)
    y = torch.ones(3, dtype=torch.float64)
    there = solver.solve(lambda t, y: t * y, y).state
    assert torch.allclose(there.log(), torch.full((3,), -1.5, dtype=torch.float64), atol=1e-5)
    assert torch.allclose(solver.solve(lambda t, y: t * y, there, reverse=True).state, y, atol=1e-5)


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match=r"`steps` divides two times.*grid of 3 times, got steps=4"):
        make_solver("rk4", (0.0, 0.5, 1.0), steps=4)
    with pytest.raises(ValueError, match="`steps` must be at least 1; got 0"):
        make_solver("rk4", (0.0, 1.0), steps=0)
    with pytest.raises(ValueError, match="must be positive; got -1, 1e-06 and 10000"):
        make_solver("dopri5", (0.0, 1.0), rtol=-1)
