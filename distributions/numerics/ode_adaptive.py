r"""Adaptive steps: the pair of Dormand and Prince of orders 5 and 4 with a proportional-integral step-size controller.

A step of length :math:`h` gives :math:`y_{\text{new}}` of order 5 and the difference :math:`e` from a result of order 4. With

.. math::

    r_i = \frac{|e_i|}{a + b \max(|y_i|, |y_{\text{new}, i}|) + 8 \epsilon\, |h| \max_j |k_j|}

for the tolerances :math:`a` (``atol``; integrals may have their own) and :math:`b` (``rtol``), where the last term is what
rounding (:math:`\epsilon`) of a sample's slopes :math:`k` does to :math:`e`, so that no tolerance asks for more than the dtype
has. The error :math:`E` of a step is the root mean square of the :math:`r_i` within each part of a sample, and then the
*largest* over parts and samples: a sample is solved as accurately in a large batch as alone, and an easy batch does not dilute
a hard sample. The step is accepted if :math:`E \le 1`; the next length is :math:`h \cdot 0.9\, E_n^{-0.7/5} E_{n-1}^{0.4/5}`,
within limits.

The last slope of a step is the first of the next, so a step costs six evaluations. Lengths are read as numbers, so this
solver runs under ``jvp`` and ``grad`` but neither under ``vmap`` nor in one compiled graph, and gradients take the lengths as
given. A sample that starts with NaN or infinity stays so and is left out of :math:`E`; everything else that stops the solver is
an error, never an inaccurate result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.numerics.ode_steps import (
    Parts,
    Solution,
    State,
    VectorFunction,
    as_grid,
    combined,
    on_parts,
    stage_slopes,
    time_of,
)
from probgen.distributions.numerics.ode_tableaus import tableau_named

__all__ = ["IntegrationError", "solve_adaptively"]

SAFETY = 0.9
SMALLEST_FACTOR, LARGEST_FACTOR = 0.2, 10.0
PROPORTIONAL, INTEGRAL = 0.7 / 5, 0.4 / 5

_PAIR = tableau_named("dopri5")


class IntegrationError(ArithmeticError):
    """A differential equation could not be solved to the tolerance that was asked for."""


@dataclass(frozen=True)
class _Control:
    """What decides whether a step is good enough."""

    rtol: float
    atol: tuple[float, ...]
    batch_dims: int
    controlled: int

    def size(self, error: Parts, old: Parts, new: Parts, slope: Parts, length: float) -> Tensor:
        """The error of a step in units of the tolerance: root mean square over an event, largest over parts and samples."""
        worst = torch.zeros((), dtype=error[0].dtype, device=error[0].device)
        if error[0].numel() == 0:
            return worst
        noise = 8 * torch.finfo(error[0].dtype).eps * abs(length) * self._speed(slope)
        count = self.controlled
        for atol, *each in zip(self.atol[:count], error[:count], old[:count], new[:count], strict=True):
            part, before, after = (self._by_sample(value) for value in each)
            ratio = part / (atol + self.rtol * torch.maximum(before.abs(), after.abs()) + noise)
            samples = ratio.square().mean(-1).sqrt()
            worst = torch.maximum(worst, self._live(samples, old).max())
        return worst

    def _live(self, samples: Tensor, old: Parts) -> Tensor:
        """Zero for samples that were not finite before the step."""
        finite = torch.ones_like(samples, dtype=torch.bool)
        for part in old[: self.controlled]:
            finite = finite & self._by_sample(part).isfinite().all(-1)
        return torch.where(finite, samples, torch.zeros_like(samples))

    def _speed(self, slope: Parts) -> Tensor:
        """The largest slope of each sample, over all its parts."""
        return torch.cat([self._by_sample(part).abs() for part in slope[: self.controlled]], -1).amax(-1, keepdim=True)

    def _by_sample(self, value: Tensor) -> Tensor:
        """The numbers of each sample in one axis, without a history."""
        return value.detach().flatten(self.batch_dims) if value.dim() > self.batch_dims else value.detach().unsqueeze(-1)


def solve_adaptively(
    function: VectorFunction,
    state: State,
    times: Sequence[float] | Tensor,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_steps: int = 10_000,
    batch_dims: int = 0,
    num_integrals: int = 0,
    num_controlled: int | None = None,
    integral_atol: float | None = None,
) -> Solution:
    r"""Solve :math:`\mathrm dy/\mathrm dt = f(t, y)` from one time to another with steps as long as the tolerance allows.

    Args:
        function: The vector function :math:`f`.
        state: :math:`y(t_0)`, a tensor or a tuple of tensors.
        times: The two times, in either order.
        rtol: Relative tolerance for one step, positive.
        atol: Absolute tolerance for one step, positive.
        max_steps: The most steps, rejected ones included.
        batch_dims: How many leading axes of every controlled tensor count samples.
        num_integrals: How many tensors at the end of the tuple are integrals, on which :math:`f` does not depend.
        num_controlled: How many tensors of the tuple count for the error; all by default.
        integral_atol: Absolute tolerance for the integrals, which start at zero and have a unit of their own; ``atol`` if None.

    Returns:
        The state at the last time, and the number of evaluations, rejected steps included.

    Raises:
        ValueError: other than two times, or tolerances that are not positive.
        IntegrationError: too many steps, or a length at the level of rounding (the vector function jumps or is not finite).

    References:
        Dormand, Prince (1980). A family of embedded Runge-Kutta formulae. https://doi.org/10.1016/0771-050X(80)90013-3
        Gustafsson (1991). Control theoretic techniques for stepsize selection in explicit Runge-Kutta methods.
        https://doi.org/10.1145/210232.210242

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.ode_adaptive import solve_adaptively
        >>> y = torch.ones(3, dtype=torch.float64)
        >>> there = solve_adaptively(lambda t, y: -y, y, (0.0, 2.0), rtol=1e-9, atol=1e-9)
        >>> bool(((there.state - torch.tensor(-2.0).exp()).abs() < 1e-8).all()), there.evaluations < 300
        (True, True)
    """
    grid = as_grid(times)
    if len(grid) != 2:
        raise ValueError(f"`times` of an adaptive solve must be two times; got {len(grid)}.")
    loose = atol if integral_atol is None else integral_atol
    if not (rtol > 0 and atol > 0):
        raise ValueError(f"`rtol` and `atol` must be positive; got {rtol} and {atol}.")
    if not loose > 0:
        raise ValueError(f"`integral_atol` must be positive; got {integral_atol}.")
    parts = state if isinstance(state, tuple) else (state,)
    controlled = len(parts) if num_controlled is None else num_controlled
    tolerances = (*[atol] * (len(parts) - num_integrals), *[loose] * num_integrals)
    control = _Control(rtol, tolerances, batch_dims, controlled)
    result, evaluations = _march(on_parts(function, state), parts, grid, control, max_steps, num_integrals)
    return Solution(result if isinstance(state, tuple) else result[0], evaluations)


def _march(
    function: Callable[[Tensor, Parts], Parts],
    parts: Parts,
    grid: Sequence[float],
    control: _Control,
    max_steps: int,
    num_integrals: int,
) -> tuple[Parts, int]:
    """Step after step from the first time to the second."""
    time, end = grid
    slope = function(time_of(time, parts), parts)
    length = _first_length(function, parts, slope, grid, control)
    evaluations, previous, rejected = 2, 1.0, False
    for _ in range(max_steps):
        last = abs(length) >= abs(end - time) * (1 - 1e-12)
        length = end - time if last else length
        slopes = stage_slopes(function, _PAIR, time, length, parts, first=slope, num_integrals=num_integrals)
        new = combined(parts, slopes, _PAIR.weights, length)
        slopes.append(function(time_of(time + length, parts), new))
        evaluations += 6
        zero = tuple(torch.zeros_like(part) for part in parts[: control.controlled])
        error = combined(zero, [known[: control.controlled] for known in slopes], _PAIR.error_weights, length)
        size = _number(control.size(error, parts, new, slope, length))
        if size <= 1.0:
            if last:
                return new, evaluations
            time, parts, slope = time + length, new, slopes[-1]
        length *= _factor(size, previous, rejected=rejected)
        previous, rejected = (max(size, 1e-4), False) if size <= 1.0 else (previous, True)
        if rejected:
            _require_length(length, time, grid)
    raise IntegrationError(
        f"{max_steps} steps (`max_steps`) reached t = {time:.6g} of {end:.6g} at rtol = {control.rtol:.3g}, "
        f"atol = {control.atol[0]:.3g}; allow more steps, a larger tolerance, or make the vector function smoother."
    )


def _factor(size: float, previous: float, *, rejected: bool) -> float:
    """How much longer or shorter the next step is."""
    if not math.isfinite(size):
        return SMALLEST_FACTOR
    if size == 0.0:
        return LARGEST_FACTOR
    if size > 1.0:
        return max(SMALLEST_FACTOR, SAFETY * float(size**-0.2))
    factor = SAFETY * float(size**-PROPORTIONAL) * float(previous**INTEGRAL)
    return min(1.0 if rejected else LARGEST_FACTOR, max(SMALLEST_FACTOR, factor))


def _first_length(
    function: Callable[[Tensor, Parts], Parts], parts: Parts, slope: Parts, grid: Sequence[float], control: _Control
) -> float:
    """A first length such that an Euler step is small and the second derivative changes little (Hairer and others, II.4)."""
    span = grid[1] - grid[0]
    state_size, slope_size = (_number(control.size(value, parts, parts, slope, 0.0)) for value in (parts, slope))
    usable = min(state_size, slope_size) > 1e-10 and max(state_size, slope_size) < math.inf
    guess = 0.01 * state_size / slope_size if usable else 1e-4 * abs(span)
    guess = math.copysign(min(max(guess, 1e-6 * abs(span)), abs(span)), span)  # a state near zero sets no length
    with torch.no_grad():
        moved = combined(parts, [slope], (1.0,), guess)
        other = function(time_of(grid[0] + guess, parts), moved)
        change = tuple(after - before for after, before in zip(other, slope, strict=True))
        curvature = _number(control.size(change, parts, parts, slope, guess)) / abs(guess)
    largest = max(slope_size, curvature)
    wanted = (0.01 / largest) ** 0.2 if 1e-15 < largest < math.inf else max(1e-6, abs(guess) * 1e-3)
    return math.copysign(min(100 * abs(guess), wanted, abs(span)), span)


def _require_length(length: float, time: float, grid: Sequence[float]) -> None:
    """Raise where a step would no longer move the time."""
    if abs(length) < 16 * torch.finfo(torch.float64).eps * max(abs(time), abs(grid[1] - grid[0])):
        raise IntegrationError(
            f"the length of a step fell to {length:.3g} at t = {time:.6g} of {grid[1]:.6g}: "
            "the vector function jumps there, is stiff, or is not finite."
        )


def _number(value: Tensor) -> float:
    """Read the size of an error, which decides the next step."""
    try:
        return float(value)
    except RuntimeError as error:
        raise IntegrationError(
            "an adaptive solver chooses its steps by value, so it cannot run under vmap or in a compiled graph; "
            "use a solver with fixed steps."
        ) from error
