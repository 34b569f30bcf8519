r"""A time grid: the times that a chain or a sampler visits, as explicit pairs.

:math:`1 \ge t_N > t_{N-1} > \dots > t_0 \ge 0`. Iterating gives the steps in the order of generation, from the noise to the
data, as pairs (t, s): "from t to s". Nothing ever computes "the previous time" from a time. A discrete chain is a grid over its
schedule; a shorter chain is another grid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

if TYPE_CHECKING:
    from probgen.distributions.chains.schedule import Schedule

__all__ = ["Spacing", "TimeGrid"]

Spacing = Literal["even", "leading", "trailing", "quadratic"]
"""How a shorter grid picks times of a longer one."""


class TimeGrid:
    r"""Times :math:`t_0 < t_1 < \dots < t_N` in [0, 1], where 0 is the data and 1 the noise.

    Args:
        steps: The number N of equal steps from 1 to 0, or the N + 1 increasing times themselves.

    Raises:
        ValueError: fewer than one step, or times that do not increase strictly within [0, 1].

    Example:
        >>> from probgen.distributions.chains import TimeGrid
        >>> list(TimeGrid(4))
        [(1.0, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0.0)]
    """

    def __init__(self, steps: int | Sequence[float] | Tensor) -> None:
        if isinstance(steps, int):
            if steps < 1:
                raise ValueError(f"`steps` must be at least 1; got {steps}.")
            times = torch.arange(steps + 1, dtype=torch.float64) / steps
        else:
            times = torch.as_tensor(steps, dtype=torch.float64).detach().cpu()
        if times.dim() != 1 or len(times) < 2:
            raise ValueError(f"times must be a list of at least two; got shape {tuple(times.shape)}.")
        if not bool((times[1:] > times[:-1]).all()) or float(times[0]) < 0 or float(times[-1]) > 1:
            raise ValueError(f"times must increase strictly within [0, 1], from data to noise; got {times.tolist()[:5]}...")
        self.times = times
        self._numbers: tuple[float, ...] = tuple(times.tolist())

    # ---------------------------------------------------------------------------------------------------------------- spacings

    @classmethod
    def quadratic(cls, steps: int, stop: float = 0.0, start: float = 1.0) -> TimeGrid:
        r"""Square roots of time equally spaced: steps shrink toward the data.

        Args:
            steps: Number of steps.
            stop: The time nearest to the data.
            start: The time nearest to the noise.

        Example:
            >>> from probgen.distributions.chains import TimeGrid
            >>> TimeGrid.quadratic(2).times.tolist()
            [0.0, 0.25, 1.0]
        """
        return cls(_pinned(torch.linspace(stop**0.5, start**0.5, steps + 1, dtype=torch.float64).square(), stop, start))

    @classmethod
    def log_snr(
        cls, schedule: Schedule, steps: int, stop: float = 1e-3, start: float = 1.0, *, end_at_data: bool = True
    ) -> TimeGrid:
        r"""Equal steps in log-SNR between ``start`` and ``stop``, and one more to the data.

        Args:
            schedule: Gives the log-SNR.
            steps: Number of steps in all.
            stop: The last time with a finite log-SNR.
            start: The first time; its log-SNR must be finite.
            end_at_data: Whether the last step goes from ``stop`` to 0.

        Raises:
            ValueError: there is no step, or the log-SNR is infinite at ``start`` or ``stop``.

        Example:
            >>> from probgen.distributions.chains import TimeGrid, cosine_schedule
            >>> schedule = cosine_schedule()
            >>> grid = TimeGrid.log_snr(schedule, 5)
            >>> schedule.log_snr(grid.times[1:]).diff().tolist()
            [-7.523..., -7.523..., -7.523..., -7.523...]
        """
        if steps < 1:
            raise ValueError(f"`steps` must be at least 1; got {steps}.")
        inner = steps - 1 if end_at_data else steps
        first, last = (schedule.log_snr(time).item() for time in (stop, start))
        if not (abs(first) < float("inf") and abs(last) < float("inf")):
            raise ValueError(f"the log-SNR must be finite at `stop` and `start`; it is {first} and {last}.")
        log_snr = torch.linspace(first, last, inner + 1, dtype=torch.float64)
        times = _pinned(schedule.t_of_log_snr(log_snr).detach().cpu(), stop, start)
        return cls(torch.cat([times.new_zeros(1), times]) if end_at_data else times)

    @classmethod
    def rho(
        cls, schedule: Schedule, steps: int, sigma_min: float = 0.002, sigma_max: float | None = None, rho: float = 7.0
    ) -> TimeGrid:
        r"""Karras et al.'s grid: :math:`(\sigma/\alpha)^{1/\rho}` equally spaced, and a last step to the data.

        Args:
            schedule: Any schedule; its noise-to-signal ratio plays the role of :math:`\sigma`.
            steps: Number of steps in all.
            sigma_min: The smallest ratio before the last step.
            sigma_max: The largest ratio; that of t = 1 by default.
            rho: The power; larger takes smaller steps near the data.

        Raises:
            ValueError: fewer than two steps, or no signal at t = 1 and no ``sigma_max``.

        References:
            Karras, Aittala, Aila, Laine (2022). Elucidating the design space of diffusion-based generative models.
            https://arxiv.org/abs/2206.00364

        Example:
            >>> from probgen.distributions.chains import TimeGrid, edm_schedule
            >>> schedule = edm_schedule(sigma_max=80.0)
            >>> [round(float(s), 4) for s in schedule.sigma(TimeGrid.rho(schedule, 3).times)]
            [0.0, 0.002, 2.5152, 80.0]
        """
        if steps < 2:
            raise ValueError(f"`steps` must be at least 2; got {steps}.")
        largest = torch.exp(-schedule.log_snr(1.0) / 2).item() if sigma_max is None else sigma_max
        if largest == float("inf"):
            raise ValueError("`sigma_max` must be given: this schedule leaves no signal at t = 1.")
        ratio = torch.linspace(sigma_min ** (1 / rho), largest ** (1 / rho), steps, dtype=torch.float64) ** rho
        times = schedule.t_of_log_snr(-2 * torch.log(ratio)).detach().cpu()
        return cls(torch.cat([times.new_zeros(1), times]))

    # ------------------------------------------------------------------------------------------------------------------ reading

    def __len__(self) -> int:
        return len(self.times) - 1

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter([(self.time(index), self.time(index - 1)) for index in range(len(self), 0, -1)])

    def time(self, index: int) -> float:
        """The time of one state: of the least noisy for 0, of the noisiest for N.

        Args:
            index: The state's number, 0 to N, or counted from the end if negative.
        """
        return self._numbers[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeGrid) and self._numbers == other._numbers

    def __hash__(self) -> int:
        return hash(self._numbers)

    def __repr__(self) -> str:
        return f"TimeGrid({len(self)} steps from t={self.time(-1):g} to t={self.time(0):g})"

    @property
    def reversed_times(self) -> Tensor:
        """The times in the order of generation, from noise to data, shape ``[N + 1]``."""
        return self.times.flip(0)

    def respaced(self, steps: int, spacing: Spacing = "even") -> TimeGrid:
        """A shorter grid through some of these times; the pairs stay explicit, so every spacing is consistent.

        Args:
            steps: Number of steps, at most that of this grid.
            spacing: "even" and "quadratic" keep both ends, "trailing" counts back from the noise in equal strides, "leading"
                counts up from the data and may start below the noise.

        Raises:
            ValueError: too many steps, or no such spacing.

        Example:
            >>> from probgen.distributions.chains import TimeGrid
            >>> (TimeGrid(1000).respaced(4, "leading").times * 1000).round().int().tolist()
            [0, 1, 251, 501, 751]
        """
        total = len(self)
        if not 1 <= steps <= total:
            raise ValueError(f"`steps` must lie in 1 .. {total}; got {steps}.")
        count = torch.arange(1, steps + 1, dtype=torch.float64)
        picks = {
            "even": lambda: torch.linspace(0, total, steps + 1, dtype=torch.float64)[1:],
            "trailing": lambda: total - (steps - count) * (total / steps),
            "leading": lambda: (count - 1) * (total // steps) + 1,
            "quadratic": lambda: total * (count / steps).square(),
        }
        if spacing not in picks:
            raise ValueError(f"`spacing` must be one of {list(picks)}; got {spacing!r}.")
        index = torch.cummax(picks[spacing]().round().long().clamp(1, total), 0).values
        index = torch.maximum(index, torch.arange(1, steps + 1))
        return TimeGrid(self.times[torch.cat([torch.zeros(1, dtype=torch.long), index])])

    def between(self, stop: float, start: float) -> TimeGrid:
        """The part of the grid with times in [stop, start]; both ends are added where they are missing.

        Example:
            >>> from probgen.distributions.chains import TimeGrid
            >>> TimeGrid(4).between(0.0, 0.6).times.tolist()
            [0.0, 0.25, 0.5, 0.6]
        """
        inside = self.times[(self.times > stop) & (self.times < start)]
        return TimeGrid(torch.cat([inside.new_tensor([stop]), inside, inside.new_tensor([start])]))


def _pinned(times: Tensor, stop: float, start: float) -> Tensor:
    """The same times with both ends exactly as asked."""
    times = times.clone()
    times[0], times[-1] = stop, start
    return times
