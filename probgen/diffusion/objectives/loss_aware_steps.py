r"""Times drawn where the loss is large: importance sampling by second moments, learned while training.

The variance of a one-time estimate of :math:`\sum_i L_i` is least for :math:`p_i \propto \sqrt{\mathbb E[L_i^2]}`. On Gaussian
data of variance 1/16 with 1000 linear steps that law divides the variance of the bound by 49, since 93 % of it lies in the
first tenth of the steps. The page "Improved diffusion" derives it and measures it.
"""

from __future__ import annotations

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.objectives.time_samplers import TimeDraws, TimeSampler, steps_at
from probgen.distributions.chains import TimeGrid
from probgen.infer.random_times import TimeCoupling

__all__ = ["LossAwareSteps"]


class LossAwareSteps(TimeSampler):
    r"""Steps drawn with :math:`p_i \propto \sqrt{\mathbb E[L_i^2]}`, estimated from the losses seen in training.

    Uniform until every step has been seen ``history`` times; then the mean of squares of each step's losses, exponentially
    weighted with that horizon. The history lies in buffers, so it is part of the ``state_dict``. Under data-parallel training
    each process uses the probabilities it drew with, and the wrapper's broadcast of buffers keeps them equal.

    Args:
        grid: The chain.
        history: How many losses of a step are remembered.
        uniform_share: Mixed with the uniform law, so that no step is forgotten.
        coupling: How the steps of a batch hang together.

    Raises:
        ValueError: ``history`` is not positive, or the share does not lie in (0, 1).

    References:
        Nichol, Dhariwal (2021). Improved denoising diffusion probabilistic models. https://arxiv.org/abs/2102.09672

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import LossAwareSteps
        >>> from probgen.distributions.chains import TimeGrid
        >>> sampler = LossAwareSteps(TimeGrid(2), history=1)
        >>> draws = sampler.at_quantiles(torch.tensor([0.2, 0.7]).double())
        >>> sampler.learn(draws, torch.tensor([3.0, 1.0]))
        >>> [round(p, 3) for p in sampler.law.probs.tolist()]
        [0.75, 0.25]
    """

    times: Tensor
    second_moment: Tensor
    seen: Tensor

    def __init__(
        self,
        grid: TimeGrid,
        *,
        history: int = 10,
        uniform_share: float = 1e-3,
        coupling: TimeCoupling = "stratified",
    ) -> None:
        super().__init__(coupling)
        if history < 1:
            raise ValueError(f"`history` must be at least 1; got {history}.")
        if not 0 < uniform_share < 1:
            raise ValueError(f"`uniform_share` must lie in (0, 1); got {uniform_share}.")
        self.history = history
        self.uniform_share = uniform_share
        self.grid = grid
        self.register_buffer("times", grid.times[1:].clone(), persistent=False)
        self.register_buffer("second_moment", torch.zeros(len(grid), dtype=torch.float64))
        self.register_buffer("seen", torch.zeros(len(grid), dtype=torch.float64))

    @property
    def probabilities(self) -> Tensor:
        """The present probabilities of the steps ``[N]``."""
        root = self.second_moment.sqrt()
        wanted = root / root.sum().clamp(min=torch.finfo(torch.float64).tiny)
        uniform = torch.full_like(wanted, 1 / len(wanted))
        ready = (self.seen >= self.history).all() & (root.sum() > 0)
        return torch.where(ready, torch.lerp(wanted, uniform, self.uniform_share), uniform)

    @property
    def law(self) -> TorchDistribution:
        """The categorical law of i - 1."""
        return dist.Categorical(probs=self.probabilities)

    def at_quantiles(self, quantiles: Tensor) -> TimeDraws:
        """The steps at given quantiles."""
        return steps_at(quantiles, self.probabilities, self.times)

    def learn(self, draws: TimeDraws, losses: Tensor) -> None:
        """Remember the losses, in whatever units and of any one shape, of the drawn steps."""
        with torch.no_grad():
            index = draws.step.reshape(-1) - 1
            squares = losses.detach().reshape(-1).to(self.second_moment).square()
            fresh = torch.zeros_like(self.seen).index_add(0, index, torch.ones_like(squares))
            total = torch.zeros_like(self.seen).index_add(0, index, squares)
            remembered = self.seen.clamp(max=self.history - fresh).clamp(min=0.0)
            mean = (remembered * self.second_moment + total) / (remembered + fresh).clamp(min=1.0)
            self.second_moment.copy_(torch.where(fresh > 0, mean, self.second_moment))
            self.seen.add_(fresh)
