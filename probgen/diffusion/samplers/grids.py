r"""Which times a sampler visits, given how many steps one wants."""

from __future__ import annotations

import math
from typing import Literal

import torch

from probgen.distributions.chains import Schedule, Spacing, TimeGrid

__all__ = ["SamplerSpacing", "sampling_grid"]

SamplerSpacing = Spacing | Literal["log_snr", "rho"]
"""How the times are spaced: picked from the model's grid, or placed by the noise."""

_SMALLEST_RATIO, _LARGEST_RATIO = 0.002, 80.0


def sampling_grid(schedule: Schedule, grid: TimeGrid, steps: int | None = None, spacing: SamplerSpacing = "even") -> TimeGrid:
    r"""A grid of the wanted number of steps over the range of another.

    Args:
        schedule: The noise schedule.
        grid: The model's grid.
        steps: Number of steps; None takes the grid as it is.
        spacing: "even", "trailing", "leading" or "quadratic" pick times of the grid. "log_snr" takes equal steps in log-SNR and
            "rho" the steps of Karras et al., both down to the ratio :math:`\sigma / \alpha` of the last but one time of the
            grid (at least 0.002), and then to the data. Where the grid begins beyond the ratio 80, in pure noise, the first
            step goes straight to 80. All but "leading" start at the first time of the grid.

    Raises:
        ValueError: more steps than the grid has, where times are picked; fewer than three, where they are placed; or no such
            spacing.

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
    if steps < 3:
        raise ValueError(f"`steps` must be at least 3 with spacing {spacing!r}; got {steps}.")
    start = grid.time(-1)
    largest, closest = (math.exp(-schedule.log_snr(time).item() / 2) for time in (start, grid.time(1)))
    jump = largest > _LARGEST_RATIO * 1.01
    smallest = max(closest, _SMALLEST_RATIO) if closest < _LARGEST_RATIO else _SMALLEST_RATIO
    begin, rest = min(largest, _LARGEST_RATIO), steps - int(jump)
    if spacing == "rho":
        times = TimeGrid.rho(schedule, rest, smallest, begin).times
    else:
        stop, top = (schedule.t_of_log_snr(-2 * math.log(ratio)).item() for ratio in (smallest, begin))
        times = TimeGrid.log_snr(schedule, rest, stop, top).times
    first = torch.tensor([start], dtype=torch.float64)
    return TimeGrid(torch.cat([times, first] if jump else [times[:-1], first]))
