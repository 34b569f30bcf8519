r"""Which times a batch looks at: the law of one time, and how the times of a batch are coupled.

A loss is an average over times, :math:`\bar L = \mathbb E_{t \sim u}[L_t]` with :math:`u` uniform over the steps of a grid or
over an interval. With times from any other law p,

.. math:: \bar L = \mathbb E_{t \sim p}\Bigl[\tfrac{u(t)}{p(t)}\, L_t\Bigr], \qquad
          \mathrm{Var} \text{ is least for } p(t) \propto u(t) \sqrt{\mathbb E[L_t^2]} .

Every draw carries its ratio :math:`u/p`, so the estimate is unbiased whatever p is. Every datum gets a time of its own, whose
law is p; how the times of one batch hang together stands in ``probgen.infer.random_times``.
"""

from __future__ import annotations

from typing import NamedTuple

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains import TimeGrid
from probgen.distributions.chains.tables import ExactTables
from probgen.infer.random_times import COUPLINGS, TimeCoupling, batch_quantiles

__all__ = ["ContinuousTimes", "Steps", "TimeDraws", "TimeSampler", "steps_at"]


class TimeDraws(NamedTuple):
    r"""The times of a batch, each of shape ``[count]``.

    Attributes:
        t: The times in (0, 1], float64.
        step: The step i of a grid, 1 to N, whose noisy end is t; zeros for continuous times.
        ratio: :math:`u(t)/p(t)`, the uniform density over that of the draw, float64; its mean over draws is one.

    Example:
        >>> from probgen.diffusion.objectives import Steps
        >>> from probgen.distributions.chains import TimeGrid
        >>> Steps(TimeGrid(10))(4).ratio.tolist()
        [1.0, 1.0, 1.0, 1.0]
    """

    t: Tensor
    step: Tensor
    ratio: Tensor


class TimeSampler(ExactTables):
    """Draws the time of every datum of a batch (abstract).

    A subclass writes ``law`` and ``at_quantiles``. Its tables are buffers in float64, whatever the model's dtype.

    Args:
        coupling: How the times of a batch hang together, see ``probgen.infer.random_times``.

    Raises:
        ValueError: there is no such coupling.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import ContinuousTimes
        >>> _ = torch.manual_seed(0)
        >>> bool((ContinuousTimes()(100).t.sort().values.diff() < 0.02).all())  # spread evenly
        True
    """

    anchor: Tensor

    def __init__(self, coupling: TimeCoupling = "stratified") -> None:
        super().__init__()
        if coupling not in COUPLINGS:
            raise ValueError(f"`coupling` must be one of {list(COUPLINGS)}; got {coupling!r}.")
        self.coupling: TimeCoupling = coupling
        self.register_buffer("anchor", torch.zeros((), dtype=torch.float64), persistent=False)

    @property
    def law(self) -> TorchDistribution:
        """The law of one draw: over times, or over the steps counted from 0."""
        raise NotImplementedError(f"{type(self).__name__} does not define `law`.")

    def at_quantiles(self, quantiles: Tensor) -> TimeDraws:
        """The draws that stand at given quantiles ``[count]`` of the law, float64."""
        raise NotImplementedError(f"{type(self).__name__} does not define `at_quantiles`.")

    def forward(self, count: int) -> TimeDraws:
        """Draw times for ``count`` data, on the device of the module."""
        with torch.no_grad():
            return self.at_quantiles(batch_quantiles(count, self.coupling, self.anchor.device))

    def learn(self, draws: TimeDraws, losses: Tensor) -> None:
        """Take note of the losses at these draws, of the same shape; only samplers that adapt do anything."""


class Steps(TimeSampler):
    r"""Steps :math:`i = 1, \dots, N` of a grid with given probabilities; the time is the noisy end :math:`t_i`.

    Args:
        grid: The chain.
        probabilities: Weights of the steps ``[N]``, positive; uniform by default.
        coupling: How the steps of a batch hang together.

    Raises:
        ValueError: the weights are not positive, or not one for every step.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import Steps
        >>> from probgen.distributions.chains import TimeGrid
        >>> sampler = Steps(TimeGrid(2), torch.tensor([3.0, 1.0]))
        >>> sampler.law.probs.tolist()
        [0.75, 0.25]
    """

    times: Tensor
    probabilities: Tensor

    def __init__(self, grid: TimeGrid, probabilities: Tensor | None = None, *, coupling: TimeCoupling = "stratified") -> None:
        super().__init__(coupling)
        weights = torch.ones(len(grid)) if probabilities is None else probabilities
        if probabilities is not None and (weights.shape != (len(grid),) or not bool((weights > 0).all())):
            raise ValueError(f"`probabilities` must be {len(grid)} positive weights; got {weights!r}.")
        weights = weights.detach().double()
        self.grid = grid
        self.register_buffer("times", grid.times[1:].clone(), persistent=False)
        self.register_buffer("probabilities", weights / weights.sum())

    @property
    def law(self) -> TorchDistribution:
        """The categorical law of i - 1."""
        return dist.Categorical(probs=self.probabilities)

    def at_quantiles(self, quantiles: Tensor) -> TimeDraws:
        """The steps at given quantiles."""
        return steps_at(quantiles, self.probabilities, self.times)


class ContinuousTimes(TimeSampler):
    r"""Times from a law on an interval, uniform by default.

    Args:
        law: A distribution of t inside [0, 1] with ``icdf`` and ``log_prob``, such as ``logit_normal_time()`` or
            ``LogNormalNoise``; None: uniform on the interval.
        low: The time nearest to the data that the uniform average includes.
        high: The time nearest to the noise.
        coupling: How the times of a batch hang together.

    Raises:
        ValueError: the interval is empty or not inside [0, 1].

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import ContinuousTimes, logit_normal_time
        >>> draws = ContinuousTimes(logit_normal_time())(1000)
        >>> bool((draws.ratio * draws.t * (1 - draws.t) > 0).all())
        True
    """

    def __init__(
        self,
        law: TorchDistribution | None = None,
        *,
        low: float = 0.0,
        high: float = 1.0,
        coupling: TimeCoupling = "stratified",
    ) -> None:
        super().__init__(coupling)
        if not 0 <= low < high <= 1:
            raise ValueError(f"`low` and `high` must satisfy 0 <= low < high <= 1; got {low} and {high}.")
        self.given = law
        self.low = low
        self.high = high

    @property
    def law(self) -> TorchDistribution:
        """The law of a time."""
        if self.given is not None:
            return self.given
        return dist.Uniform(self.anchor + self.low, self.anchor + self.high)

    def at_quantiles(self, quantiles: Tensor) -> TimeDraws:
        """The times at given quantiles, kept a rounding away from 0 and, under a given law, from 1."""
        if self.given is None:
            t = (self.high - (self.high - self.low) * quantiles).clamp(min=self.low)  # a quantile is below 1, so t is above 0
            return TimeDraws(t, torch.zeros_like(t, dtype=torch.long), torch.ones_like(t))
        margin = 1e-9
        t = self.given.icdf(quantiles.clamp(margin, 1 - margin)).to(quantiles).clamp(margin, 1 - margin)
        inside = (t >= self.low) & (t <= self.high)
        ratio = torch.where(inside, torch.exp(-self.given.log_prob(t).to(t)) / (self.high - self.low), 0.0)
        return TimeDraws(t, torch.zeros_like(t, dtype=torch.long), ratio)


def steps_at(quantiles: Tensor, probabilities: Tensor, times: Tensor) -> TimeDraws:
    """The steps that stand at given quantiles of a categorical law.

    Args:
        quantiles: Shape ``[count]``, in [0, 1).
        probabilities: Of the steps, ``[N]``, float64.
        times: The noisy end of each step, ``[N]``.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.time_samplers import steps_at
        >>> p = torch.tensor([0.75, 0.25]).double()
        >>> steps_at(torch.tensor([0.5, 0.8]).double(), p, torch.tensor([0.5, 1.0])).step.tolist()
        [1, 2]
    """
    cumulative = probabilities.cumsum(0)
    index = torch.searchsorted(cumulative / cumulative[-1], quantiles, right=True).clamp(max=len(times) - 1)
    return TimeDraws(times[index], index + 1, 1 / (len(times) * probabilities[index]))
