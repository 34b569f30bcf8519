r"""Explicit steps of an ordinary differential equation on a given grid of times.

The state is a tensor or a tuple of tensors, :math:`\mathrm dy/\mathrm dt = f(t, y)`. On a grid :math:`t_0, t_1, \dots, t_n`
(ascending or descending) each interval is one step of an explicit Runge-Kutta method (``ode_tableaus.py``). The number of
operations is fixed and nothing branches on values, so ``vmap``, ``torch.compile``, forward-mode and double differentiation
work, and gradients of the result are those of the *discrete* map, exactly.

Some parts of a state are *integrals*: their slope does not depend on them (the log-determinant of a flow, the gradients of an
adjoint solve). They are only added up at the end of a step.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor

from probgen.distributions.numerics.ode_tableaus import Tableau, tableau_named

__all__ = ["Solution", "State", "VectorFunction", "as_grid", "solve_on_grid"]

State = Tensor | tuple[Tensor, ...]
"""The state of a differential equation."""

VectorFunction = Callable[[Tensor, State], State]
"""``f(t, state)``: the slope, in the structure of the state; ``t`` is a 0-dimensional tensor of the state's dtype."""

Parts = tuple[Tensor, ...]


class Solution(NamedTuple):
    """Where a solve ended, and what it cost.

    Attributes:
        state: The state at the last time, in the structure of the initial one.
        evaluations: How often the vector function was evaluated.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_steps import solve_on_grid
        >>> solve_on_grid(lambda t, y: y, torch.tensor(1.0), [0.0, 1.0], method="euler")
        Solution(state=tensor(2.), evaluations=1)
    """

    state: State
    evaluations: int


def solve_on_grid(
    function: VectorFunction,
    state: State,
    times: Sequence[float] | Tensor,
    *,
    method: str = "rk4",
    num_integrals: int = 0,
) -> Solution:
    r"""Solve :math:`\mathrm dy/\mathrm dt = f(t, y)` by one explicit Runge-Kutta step between any two neighboring times.

    Args:
        function: The vector function :math:`f`.
        state: :math:`y(t_0)`, a tensor or a tuple of tensors.
        times: At least two strictly ascending or strictly descending times, as floats or a 1-dimensional float64 tensor.
        method: A name from ``ode_tableaus.py``.
        num_integrals: How many tensors at the end of the tuple are integrals, on which :math:`f` does not depend.

    Returns:
        The state at the last time, and the number of evaluations: stages times steps.

    Raises:
        ValueError: the times are not a grid, or there is no such method.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_steps import solve_on_grid
        >>> y = torch.tensor([1.0], dtype=torch.float64)
        >>> there = solve_on_grid(lambda t, y: t * y, y, torch.linspace(0, 1, 21, dtype=torch.float64))
        >>> there.evaluations, abs(there.state.log() - 0.5) < 1e-7
        (80, tensor([True]))
    """
    tableau, grid = tableau_named(method), as_grid(times)
    parts = state if isinstance(state, tuple) else (state,)
    evaluate = on_parts(function, state)
    for start, stop in itertools.pairwise(grid):
        slopes = stage_slopes(evaluate, tableau, start, stop - start, parts, num_integrals=num_integrals)
        parts = combined(parts, slopes, tableau.weights, stop - start)
    return Solution(parts if isinstance(state, tuple) else parts[0], len(tableau.weights) * (len(grid) - 1))


def stage_slopes(
    function: Callable[[Tensor, Parts], Parts],
    tableau: Tableau,
    start: float,
    length: float,
    parts: Parts,
    *,
    first: Parts | None = None,
    num_integrals: int = 0,
) -> list[Parts]:
    """The slopes of all stages of one step.

    Args:
        function: Slopes of all parts at a time.
        tableau: The method.
        start: Time at the beginning of the step.
        length: Its length, with sign.
        parts: The state at the beginning.
        first: The slope there, if it is known already.
        num_integrals: How many parts at the end are integrals.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_steps import stage_slopes
        >>> from probgen.distributions.numerics.ode_tableaus import tableau_named
        >>> stage_slopes(lambda t, y: y, tableau_named("heun"), 0.0, 0.5, (torch.tensor(2.0),))
        [(tensor(2.),), (tensor(3.),)]
    """
    moving = len(parts) - num_integrals
    slopes: list[Parts] = [] if first is None else [first]
    for node, row in list(zip(tableau.nodes, tableau.matrix, strict=True))[len(slopes) :]:
        known: list[Parts] = [slope[:moving] for slope in slopes]
        stage = combined(parts[:moving], known, row, length) + parts[moving:]
        slopes.append(function(time_of(start + node * length, parts), stage))
    return slopes


def combined(parts: Parts, slopes: Sequence[Parts], weights: Sequence[float], length: float) -> Parts:
    r"""Return :math:`y + h \sum_i w_i k_i`, part by part.

    The slopes are added up first: the state is rounded once a step.

    Args:
        parts: The state :math:`y`.
        slopes: The :math:`k_i`.
        weights: The :math:`w_i`; zeros cost nothing.
        length: The length :math:`h`.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_steps import combined
        >>> combined((torch.tensor(1.0),), [(torch.tensor(2.0),), (torch.tensor(4.0),)], (0.5, 0.5), 0.1)
        (tensor(1.3000),)
    """
    used = [(weight, slope) for weight, slope in zip(weights, slopes, strict=True) if weight != 0.0]
    if not used:
        return parts
    result = []
    for index, part in enumerate(parts):
        (weight, slope), *others = used
        if not others:
            result.append(torch.add(part, slope[index], alpha=length * weight))
            continue
        total = slope[index] * weight
        for weight, slope in others:
            total = torch.add(total, slope[index], alpha=weight)
        result.append(torch.add(part, total, alpha=length))
    return tuple(result)


def on_parts(function: VectorFunction, state: State) -> Callable[[Tensor, Parts], Parts]:
    """The vector function as one on tuples of tensors, whatever the structure of ``state``."""
    if isinstance(state, tuple):
        return cast("Callable[[Tensor, Parts], Parts]", function)  # dynamo cannot read a type that is built here
    return lambda t, parts: (cast(Tensor, function(t, parts[0])),)


def time_of(value: float, parts: Parts) -> Tensor:
    """A time as a 0-dimensional tensor in the dtype and on the device of the state; a fill, not a copy to the device."""
    return torch.full((), value, dtype=parts[0].dtype, device=parts[0].device)


def as_grid(times: Sequence[float] | Tensor) -> tuple[float, ...]:
    """Check a grid of times and return it as floats.

    Args:
        times: Floats, or a 1-dimensional tensor.

    Raises:
        ValueError: fewer than two times, or times that are not finite and strictly ascending or strictly descending.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_steps import as_grid
        >>> as_grid(torch.tensor([1.0, 0.25, 0.0]))
        (1.0, 0.25, 0.0)
    """
    if isinstance(times, Tensor) and times.dim() != 1:
        raise ValueError(f"`times` must be 1-dimensional; got shape {tuple(times.shape)}.")
    values: Sequence[float] = times.tolist() if isinstance(times, Tensor) else times
    grid = tuple(float(time) for time in values)
    steps = [stop - start for start, stop in itertools.pairwise(grid)]
    if not steps or not all(math.isfinite(time) for time in grid) or min(steps) * max(steps) <= 0:
        raise ValueError(f"`times` must be at least two finite times, strictly ascending or descending; got {_brief(grid)}.")
    return grid


def _brief(grid: tuple[float, ...]) -> str:
    return str(grid) if len(grid) <= 6 else f"{grid[:3]} ... {grid[-3:]} ({len(grid)} times)"
