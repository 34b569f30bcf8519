r"""Gradients of a solve by a second solve, with memory that does not grow with the number of steps.

Let :math:`\mathrm dy/\mathrm dt = f(t, y; \theta)` from :math:`t_0` to :math:`t_1`, and let :math:`L` depend on :math:`y(t_1)`.
The adjoint :math:`a(t) = \partial L / \partial y(t)` obeys

.. math::

    \frac{\mathrm da}{\mathrm dt} = -a^\top \frac{\partial f}{\partial y}, \qquad
    \frac{\partial L}{\partial \theta} = -\int_{t_1}^{t_0} a^\top \frac{\partial f}{\partial \theta}\, \mathrm dt ,

solved backwards in time together with :math:`y` itself, which is thereby reconstructed and need not be stored. Parts of the
state that are *integrals* have a constant adjoint and are not reconstructed. The gradient is that of the true flow up to the
solver's error, not that of the discrete map: it is as accurate as the steps are, while backpropagation through the solver
is exact for the steps as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from probgen.distributions.numerics.ode_solver import OdeSolver
from probgen.distributions.numerics.ode_steps import Parts, Solution, State, VectorFunction, on_parts

__all__ = ["solve_with_adjoint"]


class _Problem(NamedTuple):
    """What both solves need besides tensors."""

    function: Callable[[Tensor, Parts], Parts]
    solver: OdeSolver
    reverse: bool
    batch_dims: int
    num_integrals: int
    parameters: Parts
    size: int
    spent: list[int]


def solve_with_adjoint(
    function: VectorFunction,
    state: State,
    solver: OdeSolver,
    parameters: Sequence[Tensor],
    *,
    reverse: bool = False,
    batch_dims: int = 0,
    num_integrals: int = 0,
) -> Solution:
    r"""Solve :math:`\mathrm dy/\mathrm dt = f(t, y; \theta)` with gradients from the adjoint equation.

    Args:
        function: The vector function :math:`f`.
        state: :math:`y(t_0)`, a tensor or a tuple of tensors.
        solver: The solver, for both directions.
        parameters: All tensors that ``function`` depends on and that may need a gradient; others get none.
        reverse: Start at the last time of the solver.
        batch_dims: How many leading axes count samples, for the error of adaptive steps.
        num_integrals: How many tensors at the end of the tuple are integrals, on which :math:`f` does not depend.

    Returns:
        The state at the last time, once differentiable in the state and the parameters; the number of evaluations on the way
        there.

    References:
        Chen, Rubanova, Bettencourt, Duvenaud (2018). Neural ordinary differential equations. https://arxiv.org/abs/1806.07366
        Kidger, Chen, Lyons (2021). "Hey, that's not an ODE": faster ODE adjoints via seminorms.
        https://arxiv.org/abs/2009.09457

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_adjoint import solve_with_adjoint
        >>> from probgen.distributions.numerics.ode_solver import make_solver
        >>> rate = torch.tensor(0.5, requires_grad=True)
        >>> solver = make_solver("rk4", (0.0, 1.0), steps=10)
        >>> y = solve_with_adjoint(lambda t, y: rate * y, torch.tensor(1.0), solver, [rate]).state
        >>> y.backward()
        >>> y.detach(), rate.grad
        (tensor(1.6487), tensor(1.6487))
    """
    parts = state if isinstance(state, tuple) else (state,)
    learnable = tuple(tensor for tensor in parameters if tensor.requires_grad)
    problem = _Problem(on_parts(function, state), solver, reverse, batch_dims, num_integrals, learnable, len(parts), [])
    result = cast(Parts, _Adjoint.apply(problem, *parts, *learnable))  # type: ignore[no-untyped-call]
    return Solution(result if isinstance(state, tuple) else result[0], problem.spent[0])


class _Adjoint(torch.autograd.Function):
    """The solve as one node of the graph."""

    @staticmethod
    def forward(ctx: Any, problem: _Problem, *tensors: Tensor) -> Parts:
        """Solve without recording anything."""
        start = tensors[: problem.size]
        with torch.no_grad():
            solution = problem.solver.solve(
                cast(VectorFunction, problem.function),
                start,
                reverse=problem.reverse,
                batch_dims=problem.batch_dims,
                num_integrals=problem.num_integrals,
            )
        final = cast(Parts, solution.state)
        problem.spent.append(solution.evaluations)
        ctx.problem = problem
        ctx.save_for_backward(*final, *problem.parameters)
        return tuple(part.clone() if part is first else part for part, first in zip(final, start, strict=True))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """Solve the adjoint equation back to the first time."""
        problem: _Problem = ctx.problem
        saved = ctx.saved_tensors  # raises if a parameter was changed since
        moving = problem.size - problem.num_integrals
        final = tuple(part.detach() for part in saved[:moving])
        constant = grads[moving:]
        zeros = tuple(torch.zeros_like(parameter) for parameter in problem.parameters)
        function = _backward_function(problem, constant, tuple(part.detach() for part in saved[moving : problem.size]))
        start = (*final, *grads[:moving], *zeros)
        with torch.no_grad():
            solved = problem.solver.solve(
                cast(VectorFunction, function),
                start,
                reverse=not problem.reverse,
                batch_dims=problem.batch_dims,
                num_integrals=len(zeros),
                num_controlled=2 * moving,
            ).state
        ends = cast(Parts, solved)
        return (None, *ends[moving : 2 * moving], *constant, *ends[2 * moving :])


def _backward_function(problem: _Problem, constant: Parts, integrals: Parts) -> Callable[[Tensor, Parts], Parts]:
    """Slopes of the state, of its adjoint and of the parameters' gradients; ``integrals`` only fill their places."""
    moving = problem.size - problem.num_integrals

    def slopes(time: Tensor, parts: Parts) -> Parts:
        adjoint = parts[moving : 2 * moving]
        with torch.enable_grad():
            state = tuple(part.detach().requires_grad_() for part in parts[:moving])
            values = problem.function(time, (*state, *integrals))
            inputs = (*state, *problem.parameters)
            outputs = [(v, g) for v, g in zip(values, (*adjoint, *constant), strict=True) if v.requires_grad]
            found = _gradients(outputs, inputs)
        return (*(value.detach() for value in values[:moving]), *(-grad for grad in found))

    return slopes


def _gradients(outputs: Sequence[tuple[Tensor, Tensor]], inputs: Parts) -> list[Tensor]:
    """The product of the weights with the Jacobian; zeros where nothing depends on an input."""
    if not outputs:
        return [torch.zeros_like(value) for value in inputs]
    values, weights = zip(*outputs, strict=True)
    found: Sequence[Tensor | None] = torch.autograd.grad(values, inputs, weights, allow_unused=True)
    return [torch.zeros_like(value) if grad is None else grad for grad, value in zip(found, inputs, strict=True)]
