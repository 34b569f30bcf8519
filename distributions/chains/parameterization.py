r"""What a network's output F means: the coefficients of :math:`\hat x_0 = c_{\mathrm{skip}} x_t + c_{\mathrm{out}} F`.

=========== ==================================================== ============================ ============================
output F    meaning                                              :math:`c_{\mathrm{skip}}`    :math:`c_{\mathrm{out}}`
=========== ==================================================== ============================ ============================
"x0"        :math:`x_0`                                          0                            1
"eps"       :math:`\varepsilon`                                  :math:`1/\alpha`             :math:`-\sigma/\alpha`
"score"     :math:`\nabla \log q(x_t)`                           :math:`1/\alpha`             :math:`\sigma^2/\alpha`
"v"         :math:`(\alpha\varepsilon - \sigma x_0)/r`           :math:`\alpha/r^2`           :math:`-\sigma/r`
"velocity"  :math:`\varepsilon - x_0`                            :math:`1/(\alpha+\sigma)`    :math:`-\sigma/(\alpha+\sigma)`
"edm"       unit-variance target at any data scale               :math:`\alpha\sigma_d^2/d^2` :math:`\sigma\sigma_d/d`
"mean"      :math:`\mathbb E[x_s \mid x_t]`, s next in a grid     :math:`-c_t/c_0`             :math:`1/c_0`
=========== ==================================================== ============================ ============================

with :math:`r^2 = \alpha^2 + \sigma^2`, :math:`d^2 = \alpha^2\sigma_d^2 + \sigma^2` and :math:`\sigma_d` the standard
deviation of the data. A network sees :math:`x_t / d`, whose variance is one at every time. For a variance-preserving schedule
and :math:`\sigma_d = 1`, "edm" is minus "v". An error of "eps" is amplified by :math:`\sigma/\alpha`, without bound at the
noise; "x0" and "v" stay bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from probgen.distributions.chains.noise_level import NoiseLevel, posterior_coefficients
from probgen.distributions.chains.schedule import Schedule
from probgen.distributions.chains.tables import entries
from probgen.distributions.chains.time_grid import TimeGrid

__all__ = ["PARAMETERIZATIONS", "Parameterization", "input_scale", "mean_coefficients", "next_times"]

Parameterization = Literal["x0", "eps", "score", "v", "velocity", "edm", "mean"]
"""What a network predicts."""

Coefficients = tuple[Tensor, Tensor]


def _x0(level: NoiseLevel, data_std: float) -> Coefficients:
    return torch.zeros_like(level.alpha), torch.ones_like(level.alpha)


def _eps(level: NoiseLevel, data_std: float) -> Coefficients:
    _require_signal(level, "eps")
    return 1 / level.alpha, -level.sigma / level.alpha


def _score(level: NoiseLevel, data_std: float) -> Coefficients:
    _require_signal(level, "score")
    return 1 / level.alpha, level.sigma.square() / level.alpha


def _v(level: NoiseLevel, data_std: float) -> Coefficients:
    square = level.alpha.square() + level.sigma.square()
    return level.alpha / square, -level.sigma / square.sqrt()


def _velocity(level: NoiseLevel, data_std: float) -> Coefficients:
    total = level.alpha + level.sigma
    return 1 / total, -level.sigma / total


def _edm(level: NoiseLevel, data_std: float) -> Coefficients:
    square = (level.alpha * data_std).square() + level.sigma.square()
    return level.alpha * data_std**2 / square, level.sigma * data_std / square.sqrt()


PARAMETERIZATIONS: dict[str, Callable[[NoiseLevel, float], Coefficients]] = {
    "x0": _x0,
    "eps": _eps,
    "score": _score,
    "v": _v,
    "velocity": _velocity,
    "edm": _edm,
}
"""Name of a parameterization to the function from level and data scale to skip and out; "mean" also needs a grid."""


def mean_coefficients(level: NoiseLevel, schedule: Schedule, grid: TimeGrid) -> Coefficients:
    r"""Coefficients where F is :math:`\mathbb E[x_s \mid x_t]` and s follows t in a grid.

    Args:
        level: Noise levels at times t of the grid.
        schedule: The noise schedule.
        grid: The grid that s is looked up in.

    Example:
        >>> from probgen.distributions.chains import TimeGrid, linear_schedule
        >>> from probgen.distributions.chains.parameterization import mean_coefficients
        >>> schedule, grid = linear_schedule(10), TimeGrid(10)
        >>> tuple(map(float, mean_coefficients(schedule.level(0.1), schedule, grid)))  # the last step predicts the data
        (-0.0, 1.0)
    """
    data, noisy, _ = posterior_coefficients(schedule.level(next_times(level.t, grid)), level)
    return -noisy / data, 1 / data


def next_times(t: Tensor, grid: TimeGrid) -> Tensor:
    """The grid time that follows each ``t`` on the way to the data.

    Args:
        t: Times of any shape, float64.
        grid: The grid.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import TimeGrid
        >>> from probgen.distributions.chains.parameterization import next_times
        >>> next_times(torch.tensor([1.0, 0.5], dtype=torch.float64), TimeGrid(4)).tolist()
        [0.75, 0.25]
    """
    times = grid.times.to(t.device)
    return entries(times, (torch.searchsorted(times, (t - 1e-9).contiguous()) - 1).clamp(min=0))


def input_scale(level: NoiseLevel, data_std: float) -> Tensor:
    r"""The factor :math:`1/\sqrt{\alpha^2\sigma_d^2 + \sigma^2}` that brings :math:`x_t` to unit variance, float64.

    Args:
        level: Noise levels.
        data_std: Standard deviation :math:`\sigma_d` of the data.

    Example:
        >>> from probgen.distributions.chains import edm_schedule
        >>> from probgen.distributions.chains.parameterization import input_scale
        >>> round(float(input_scale(edm_schedule().level(1.0), data_std=0.5)), 6)
        0.0125
    """
    return torch.rsqrt((level.alpha * data_std).square() + level.sigma.square())


def _require_signal(level: NoiseLevel, name: str) -> None:
    if level.lacks_signal:
        raise ValueError(
            f"the parameterization {name!r} cannot give the data where no signal is left (alpha = 0); "
            'use "v", "x0", "velocity" or "edm", or a schedule that ends at a finite log-SNR.'
        )
