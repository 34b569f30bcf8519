r"""Which times a sampler visits, given how many steps one wants."""

from __future__ import annotations

import math
from typing import Literal

from probgen.distributions.chains import Schedule, Spacing, TimeGrid

__all__ = ["SamplerSpacing", "sampling_grid"]

SamplerSpacing = Spacing | Literal["log_snr", "rho"]
"""How the times are spaced: picked from the model's grid, or placed by the noise."""

_SMALLEST_RATIO = 0.002


def sampling_grid(schedule: Schedule, grid: TimeGrid, steps: int | None = None, spacing: SamplerSpacing = "even") -> TimeGrid:
    r"""A grid of the wanted number of steps over the range of another.

    Args:
        schedule: The noise schedule.
        grid: The model's grid.
        steps: Number of steps; None takes the grid as it is.
        spacing: "even", "trailing", "leading" or "quadratic" pick times of the grid. "log_snr" takes equal steps in log-SNR and
            "rho" the steps of Karras et al., both from the first time of the grid to the ratio :math:`\sigma / \alpha` of its
            last but one time (at least 0.002), and then to the data. All but "leading" start at the first time of the grid.

    Raises:
        ValueError: more steps than the grid has, where times are picked; no signal at the first time, where they are placed; or
            no such spacing.

    Example:
        >>> from probgen.diffusion.samplers.grids import sampling_grid
        >>> from probgen.distributions.chains import TimeGrid, linear_schedule
        >>> sampling_grid(linear_schedule(), TimeGrid(1000), 20)
        TimeGrid(20 steps from t=1 to t=0)
        >>> sampling_grid(linear_schedule(), TimeGrid(1000), 20, "log_snr").times[:3]  # the data, the last step of the chain
        tensor([0.0000, 0.0010, 0.00...], dtype=torch.float64)
    """
    if steps is None:
        return grid
    if spacing != "log_snr" and spacing != "rho":
        return grid.respaced(steps, spacing)
    if steps < 2:
        raise ValueError(f"`steps` must be at least 2 with spacing {spacing!r}; got {steps}.")
    start = float(grid.times[-1])
    largest, closest = (math.exp(-float(schedule.log_snr(time)) / 2) for time in (start, float(grid.times[1])))
    if not math.isfinite(largest):
        raise ValueError(
            f"spacing {spacing!r} needs a finite log-SNR at the first time; this schedule leaves no signal there. "
            'Use spacing="even", or give a `grid` that starts earlier.'
        )
    smallest = max(closest, _SMALLEST_RATIO) if closest < largest else _SMALLEST_RATIO
    if spacing == "rho":
        return TimeGrid.rho(schedule, steps, smallest, largest)
    stop = float(schedule.t_of_log_snr(-2 * math.log(smallest)))
    return TimeGrid.log_snr(schedule, steps, stop, start)
