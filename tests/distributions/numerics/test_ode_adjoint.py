"""Adjoint gradients against backpropagation through the solver, central differences and a closed form."""

import math

import pytest
import torch
from torch import nn

from probgen.distributions.numerics.ode_adjoint import solve_with_adjoint
from probgen.distributions.numerics.ode_solver import make_solver

SOLVERS = {
    "verner8": make_solver("verner8", (0.0, 1.0), steps=12),
    "adaptive": make_solver("dopri5", (0.0, 1.0), rtol=1e-10, atol=1e-10),
}


class Field(nn.Module):
    """A network whose third state entry is an integral of a function of the others."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()
        self.unused = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, t, state):
        x, _ = state
        value = self.layers(torch.cat([x, t.expand(len(x), 1)], -1))
        return value, value.square().sum(-1, keepdim=True)


def problem():
    torch.manual_seed(0)
    return Field(), torch.randn(5, 2, dtype=torch.float64)


def loss_of(state):
    x, energy = state
    return (x.sin() * torch.tensor([1.0, -2.0])).sum() + energy.square().sum()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", SOLVERS)
def test_adjoint_equals_backpropagation(name, reverse):
    field, x = problem()
    solver, start = SOLVERS[name], (x.requires_grad_(), torch.zeros(5, 1, dtype=torch.float64))
    leaves = [x, *field.layers.parameters()]
    plain = solver.solve(field, start, reverse=reverse, batch_dims=1, num_integrals=1)
    expected = torch.autograd.grad(loss_of(plain.state), leaves)
    solution = solve_with_adjoint(
        field, start, solver, list(field.parameters()), reverse=reverse, batch_dims=1, num_integrals=1
    )
    got = torch.autograd.grad(loss_of(solution.state), leaves)
    assert solution.evaluations == plain.evaluations
    for a, b in zip(got, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-8)


def test_adjoint_equals_central_differences():
    field, x = problem()
    start, solver = (x, torch.zeros(5, 1, dtype=torch.float64)), SOLVERS["verner8"]
    weight = field.layers[0].weight
    solution = solve_with_adjoint(field, start, solver, list(field.parameters()), num_integrals=1)
    (grad,) = torch.autograd.grad(loss_of(solution.state), weight)
    direction = torch.randn(weight.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    values = []
    with torch.no_grad():
        for sign in (1, -1):
            weight.add_(sign * 1e-5 * direction)
            values.append(loss_of(solver.solve(field, start, num_integrals=1).state))
            weight.sub_(sign * 1e-5 * direction)
    assert float((grad * direction).sum()) == pytest.approx(float(values[0] - values[1]) / 2e-5, rel=1e-7)


def test_adjoint_equals_the_closed_form():
    rate = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    y = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    end = solve_with_adjoint(lambda t, y: rate * t * y, y, SOLVERS["verner8"], [rate]).state
    grads = torch.autograd.grad(end, (rate, y))
    assert float(end.detach()) == pytest.approx(2 * math.exp(0.15), rel=1e-12)
    assert [float(grad) for grad in grads] == pytest.approx([math.exp(0.15), math.exp(0.15)], rel=1e-11)


def test_gradient_of_a_tensor_with_a_history():
    """A context that an encoder made gets its gradient, and the encoder its own."""
    source = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    context = source.square()
    y = torch.ones((), dtype=torch.float64)
    solve_with_adjoint(lambda t, y: context * y, y, SOLVERS["verner8"], [context]).state.backward()
    assert float(source.grad) == pytest.approx(2 * 0.5 * math.exp(0.25), rel=1e-10)


def test_memory_does_not_grow_with_the_steps():
    """What autograd saves: as many tensors for 40 steps as for 4."""

    def saved(adjoint, steps):
        field, x = problem()
        start, count = (x, torch.zeros(5, 1, dtype=torch.float64)), []
        solver = make_solver("rk4", (0.0, 1.0), steps=steps)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: count.append(1) or t, lambda t: t):
            if adjoint:
                solve_with_adjoint(field, start, solver, list(field.parameters()), num_integrals=1)
            else:
                solver.solve(field, start, num_integrals=1)
        return len(count)

    assert saved(True, 40) == saved(True, 4) > 0
    assert saved(False, 40) > 5 * saved(False, 4)


def test_a_parameter_changed_in_between_is_noticed():
    rate = torch.tensor(0.3, requires_grad=True)
    end = solve_with_adjoint(lambda t, y: rate * y, torch.ones(()), SOLVERS["verner8"], [rate]).state
    with torch.no_grad():
        rate.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        end.backward()


def test_second_derivatives_are_refused():
    rate = torch.tensor(0.3, requires_grad=True)
    end = solve_with_adjoint(lambda t, y: rate * y, torch.ones(()), SOLVERS["verner8"], [rate]).state
    (grad,) = torch.autograd.grad(end.square(), rate, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.backward()
