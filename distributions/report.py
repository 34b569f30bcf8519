r"""How well a distribution fits data: likelihood with its standard error, calibration, and a two-sample test.

* *Likelihood*: the mean of :math:`\log p(x)` over the data, in nats, and :math:`-\log_2 p(x) / D` in bits per dimension.
* *Calibration*: a flow maps its own data to independent uniforms. The largest gap between the empirical and the uniform
  distribution function over all coordinates has, by the Dvoretzky-Kiefer-Wolfowitz inequality and a union bound,
  :math:`P(\mathrm{gap} > \varepsilon) \le 2 D e^{-2 n \varepsilon^2}`, an upper bound of the p-value.
* *Coverage*: the share of data inside the central interval of each level, coordinate by coordinate; of a true model the share
  is the level, with standard error :math:`\sqrt{\text{level} (1 - \text{level}) / n}`.
* *Two-sample test*: the energy distance between data and as many draws, against 199 permutations of the labels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions._seeding import random_stream
from probgen.distributions.estimate import DensityUnavailable, LogProbKind

if TYPE_CHECKING:
    from probgen.distributions.base import Distribution

__all__ = ["Calibration", "Report", "calibration", "energy_test", "make_report"]

_MOST_POINTS = 256
_PERMUTATIONS = 199
_LEVELS = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Calibration:
    """How far the coordinates of the probability integral transform are from uniform.

    Attributes:
        gap: Largest distance between the empirical and the uniform distribution function over all coordinates.
        coordinate: The coordinate where it occurs.
        p_value: Upper bound of its p-value.
        coverage: For each level of central intervals (0.5, 0.8, 0.95) the share of data inside, one for each coordinate.

    Example:
        >>> from probgen.distributions import Calibration
        >>> Calibration(gap=0.1, coordinate=0, p_value=0.5).gap
        0.1
    """

    gap: float
    coordinate: int
    p_value: float
    coverage: Mapping[float, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What ``Distribution.report`` finds; ``str`` gives a readable table.

    Attributes:
        num_points: How many data.
        num_coordinates: Coordinates of one datum, D.
        kind: Of the log-density: "exact", "unbiased", "lower" or "none".
        nats: Mean log-density in nats, or None.
        nats_stderr: Its standard error.
        bits_per_dim: Minus the mean log-density in bits, by coordinate, or None.
        bits_per_dim_stderr: Its standard error.
        calibration: Of the probability integral transform, where one is known.
        two_sample_p_value: Of the energy test between data and draws.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> report = standard_normal(2).report(torch.zeros(10, 2))
        >>> round(report.nats, 4), round(report.bits_per_dim, 4)
        (-1.8379, 1.3257)
    """

    num_points: int
    num_coordinates: int
    kind: LogProbKind
    nats: float | None
    nats_stderr: float | None
    bits_per_dim: float | None
    bits_per_dim_stderr: float | None
    calibration: Calibration | None
    two_sample_p_value: float

    def __str__(self) -> str:
        lines = [f"{self.num_points} points of {self.num_coordinates} coordinates"]
        if self.nats is None:
            lines.append("log p        not available")
        else:
            mark = {"exact": "=", "unbiased": "~", "lower": ">=", "none": "?"}[self.kind]
            lines.append(f"log p        {mark} {self.nats:.4f} ± {self.nats_stderr:.4f} nats ({self.kind})")
            lines.append(f"             {self.bits_per_dim:.4f} ± {self.bits_per_dim_stderr:.4f} bits/dim")
        if self.calibration is not None:
            found = self.calibration
            lines.append(f"calibration  gap {found.gap:.4f} at coordinate {found.coordinate}, p <= {found.p_value:.3g}")
            lines.extend(_coverage_lines(found.coverage))
        lines.append(f"two-sample   p = {self.two_sample_p_value:.3f} (energy distance)")
        return "\n".join(lines)


def make_report(distribution: Distribution, value: Tensor, *, num_draws: int = 16, seed: int = 0) -> Report:
    """Compare a distribution with data; see ``Distribution.report``.

    Args:
        distribution: The distribution.
        value: Data ``[*sample, *batch, *event]``, at least two.
        num_draws: Monte Carlo draws for each datum, where the density is not exact.
        seed: Seed of the draws; the global random state is left alone.

    Raises:
        ValueError: there are fewer than two data.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.report import make_report
        >>> make_report(standard_normal(2), torch.randn(64, 2)).num_coordinates
        2
    """
    distribution._check_shape(value)
    cut = value.dim() - len(distribution.event_shape)
    count = value.shape[:cut].numel()
    if count < 2:
        raise ValueError(f"`value` must hold at least two data; got {count}.")
    lead = value.shape[: max(cut - len(distribution.batch_shape), 0)]
    with random_stream(seed, value.device), torch.no_grad():
        nats = _mean_nats(distribution, value, num_draws)
        uniform = distribution.probability_integral_transform(value)
        draws = distribution.sample(lead)
        p_value = energy_test(value.reshape(count, -1), draws.reshape(-1, max(distribution.event_shape.numel(), 1)))
    dim = max(distribution.event_shape.numel(), 1)
    bits = None if nats is None else (-nats[0] / (dim * math.log(2)), nats[1] / (dim * math.log(2)))
    return Report(
        num_points=count,
        num_coordinates=dim,
        kind=distribution.log_prob_kind,
        nats=None if nats is None else nats[0],
        nats_stderr=None if nats is None else nats[1],
        bits_per_dim=None if bits is None else bits[0],
        bits_per_dim_stderr=None if bits is None else bits[1],
        calibration=None if uniform is None else calibration(uniform.reshape(count, -1)),
        two_sample_p_value=p_value,
    )


def calibration(uniform: Tensor) -> Calibration:
    """Measure how far each column is from uniform.

    Args:
        uniform: Values in [0, 1], shape ``[n, dim]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.report import calibration
        >>> calibration(torch.linspace(0.005, 0.995, 100)[:, None])
        Calibration(gap=0.005..., coordinate=0, p_value=1.0, coverage={0.5: (0.5,), 0.8: (0.8,), 0.95: (0.95,)})
    """
    count, dim = uniform.shape
    ordered = uniform.double().sort(0).values
    steps = torch.arange(count + 1, dtype=torch.float64, device=uniform.device)[:, None] / count
    gaps = torch.maximum(steps[1:] - ordered, ordered - steps[:-1]).amax(0)
    coordinate = int(gaps.argmax())
    gap = float(gaps[coordinate])
    inside = {level: tuple(((uniform - 0.5).abs() <= level / 2).double().mean(0).tolist()) for level in _LEVELS}
    return Calibration(gap, coordinate, min(1.0, 2 * dim * math.exp(-2 * count * gap**2)), inside)


def energy_test(x: Tensor, y: Tensor) -> float:
    r"""p-value of the permutation test with the energy distance :math:`2 E|X - Y| - E|X - X'| - E|Y - Y'|`.

    At most 256 points of each sample are used. The smallest value that 199 permutations can give is 0.005.

    Args:
        x: Points ``[n, dim]``.
        y: Points ``[m, dim]``.

    References:
        Székely, Rizzo (2013). Energy statistics. https://doi.org/10.1016/j.jspi.2013.03.018

    Example:
        >>> import torch
        >>> from probgen.distributions.report import energy_test
        >>> _ = torch.manual_seed(0)
        >>> energy_test(torch.randn(100, 2), torch.randn(100, 2) + 2)
        0.005
    """
    count = min(_MOST_POINTS, x.shape[0], y.shape[0])
    chosen = [points[torch.randperm(points.shape[0], device=points.device)[:count]].double() for points in (x, y)]
    pooled = torch.cat(chosen)
    distance = torch.cdist(pooled, pooled)
    labels = torch.cat([torch.ones(count), -torch.ones(count)]).to(distance)
    orders = torch.rand(_PERMUTATIONS, 2 * count, device=distance.device).argsort(-1)
    signs = torch.cat([labels[None], labels[orders]])
    statistic = -((signs @ distance) * signs).sum(-1)
    return float((statistic >= statistic[0] - 1e-9 * statistic[0].abs()).double().mean())


def _coverage_lines(coverage: Mapping[float, tuple[float, ...]]) -> list[str]:
    """The mean share inside each central interval, and the range over coordinates."""
    shares = [f"{level:.0%}: {sum(s) / len(s):.1%} ({min(s):.1%} to {max(s):.1%})" for level, s in coverage.items()]
    return [f"coverage     {', '.join(shares)} (range over coordinates)"] if shares else []


def _mean_nats(distribution: Distribution, value: Tensor, num_draws: int) -> tuple[float, float] | None:
    try:
        return distribution.log_prob_estimate(value, num_draws).mean()
    except DensityUnavailable:
        return None
