r"""A differential equation's solver with its settings: fixed steps on a grid, or adaptive steps between two times.

The settings are plain numbers, so a solver is compared, printed, copied and pickled by value. A grid of more than two times is
taken as it is; two times are divided into ``steps`` equal steps, or left to the adaptive pair "dopri5". No other method has an
error estimate, and none takes a single silent step over the whole interval: without ``steps`` it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from probgen.distributions.numerics.ode_adaptive import solve_adaptively
from probgen.distributions.numerics.ode_steps import Solution, State, VectorFunction, as_grid, solve_on_grid
from probgen.distributions.numerics.ode_tableaus import tableau_named

__all__ = ["OdeSolver", "make_solver"]


@dataclass(frozen=True)
class OdeSolver:
    """A solver with its settings; ``make_solver`` builds and checks one.

    Attributes:
        method: The name of a method (``ode_tableaus.py``).
        times: The grid of fixed steps, or the two times of adaptive ones.
        adaptive: Whether the steps are chosen by the error.
        rtol: Relative tolerance of adaptive steps.
        atol: Absolute tolerance of adaptive steps.
        max_steps: The most adaptive steps.
        integral_atol: Absolute tolerance of the integrals of adaptive steps; ``atol`` if None.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_solver import make_solver
        >>> solver = make_solver("rk4", (0.0, 1.0), steps=10)
        >>> there = solver.solve(lambda t, y: -y, torch.tensor(1.0)).state
        >>> there, solver.solve(lambda t, y: -y, there, reverse=True).state
        (tensor(0.3679), tensor(1.0000))
    """

    method: str
    times: tuple[float, ...]
    adaptive: bool
    rtol: float = 1e-6
    atol: float = 1e-6
    max_steps: int = 10_000
    integral_atol: float | None = None

    def solve(
        self,
        function: VectorFunction,
        state: State,
        *,
        reverse: bool = False,
        batch_dims: int = 0,
        num_integrals: int = 0,
        num_controlled: int | None = None,
    ) -> Solution:
        """Solve from the first time to the last, or back.

        Args:
            function: The vector function.
            state: A tensor or a tuple of tensors.
            reverse: Start at the last time.
            batch_dims: How many leading axes count samples; adaptive steps look at the worst sample.
            num_integrals: How many tensors at the end of the state are integrals.
            num_controlled: How many tensors of the state count for the error of adaptive steps; all by default.
        """
        times = self.times[::-1] if reverse else self.times
        if not self.adaptive:
            return solve_on_grid(function, state, times, method=self.method, num_integrals=num_integrals)
        return solve_adaptively(
            function,
            state,
            times,
            rtol=self.rtol,
            atol=self.atol,
            max_steps=self.max_steps,
            batch_dims=batch_dims,
            num_integrals=num_integrals,
            num_controlled=num_controlled,
            integral_atol=self.integral_atol,
        )


def make_solver(
    method: str,
    times: Sequence[float] | Tensor,
    steps: int | None = None,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_steps: int = 10_000,
    integral_atol: float | None = None,
) -> OdeSolver:
    """Choose between adaptive and fixed steps, and check the settings.

    Args:
        method: "euler", "midpoint", "heun", "rk4", "dopri5" or "verner8".
        times: Two times, or the whole grid of fixed steps; ascending or descending.
        steps: Number of equal steps between two times; None leaves them to "dopri5" with its tolerances.
        rtol: Relative tolerance of adaptive steps.
        atol: Absolute tolerance of adaptive steps.
        max_steps: The most adaptive steps, rejected ones included.
        integral_atol: Absolute tolerance of the integrals of adaptive steps; ``atol`` if None.

    Raises:
        ValueError: settings that do not go together or are not positive.

    Example:
        >>> from probgen.distributions.numerics.ode_solver import make_solver
        >>> make_solver("heun", (1.0, 0.0), steps=4).times
        (1.0, 0.75, 0.5, 0.25, 0.0)
        >>> make_solver("dopri5", (0.0, 1.0)).adaptive
        True
    """
    tableau, grid = tableau_named(method), as_grid(times)
    if steps is not None:
        if len(grid) > 2:
            raise ValueError(f"`steps` divides two times; `times` is already a grid of {len(grid)} times, got steps={steps}.")
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {steps}.")
        start, stop = grid
        grid = (*(start + (stop - start) * index / steps for index in range(steps)), stop)
    adaptive = steps is None and len(grid) == 2
    if adaptive and not tableau.error_weights:
        raise ValueError(
            f"{method!r} has no error estimate: give `steps`, or the whole grid as `times`; "
            "got two times, which would be one step. (Adaptive steps: 'dopri5'.)"
        )
    if not (rtol > 0 and atol > 0 and max_steps > 0):
        raise ValueError(f"`rtol`, `atol` and `max_steps` must be positive; got {rtol}, {atol} and {max_steps}.")
    if integral_atol is not None and not integral_atol > 0:
        raise ValueError(f"`integral_atol` must be positive; got {integral_atol}.")
    return OdeSolver(method, grid, adaptive, rtol, atol, max_steps, integral_atol)
