r"""Completing any positions: the conditional law by sequential Monte Carlo, the evidence without bias.

The filter stands in ``particles.py``. What it gives, and what it is worth:

* draws, each from a run of its own, so that they are independent; they follow :math:`p(x_u \mid x_o)` up to a bias of order
  1/K;
* :math:`\widehat Z`, unbiased for the evidence :math:`p(x_o)`, so :math:`\log\widehat Z` is a lower bound in expectation;
* :math:`\log p(x) - \log\widehat Z`, for the same reason an upper bound of the conditional log-probability.

One particle that nobody resamples is the naive way: to go through the positions and put what is known over what was drawn. It
ignores what comes later, and is biased; its weight is what importance sampling would need.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions.autoregressive.completion import Completion
from probgen.distributions.autoregressive.particles import LookAhead, WeightedCompletions, run_particles
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind, log_mean_exp_estimate

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.distribution import Autoregressive

__all__ = ["ParticleCompletion"]


class ParticleCompletion(Completion):
    r"""The law of completed events where any positions are observed, by sequential Monte Carlo.

    Its ``log_prob`` is not available; ``log_prob_estimate`` and ``log_evidence`` are. None of it is differentiable: to train on
    incomplete data, maximize the ``log_prob`` of the whole law at completions that it draws (Fisher's identity,
    :math:`\nabla \log p(x_o) = \mathbb E_{p(x_u \mid x_o)} \nabla \log p(x)`).

    Args:
        law: The law of whole events.
        x: Values ``[*batch, *event]``; what stands at positions that are not observed is ignored.
        observed: True where a position is observed, ``[*batch, *grid]``.
        num_particles: Particles K of a run.
        look_ahead: A twist, see :data:`~probgen.distributions.autoregressive.particles.LookAhead`.
        threshold: Particles are resampled where fewer than this part of the weights count; 0: never, 1: always.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: fewer than one particle, or a threshold outside [0, 1], besides what the base class raises.

    References:
        Gordon, Salmond, Smith (1993). Novel approach to nonlinear/non-Gaussian Bayesian state estimation.
        https://doi.org/10.1049/ip-f-2.1993.0015
        Guarniero, Johansen, Lee (2017). The iterated auxiliary particle filter. https://arxiv.org/abs/1511.06286

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(4, 1, hidden=(16,)), (4,), BernoulliElement())
        >>> last = p.given(torch.ones(4), torch.tensor([False, False, False, True]), num_particles=16)
        >>> last.sample((5,)).shape, last.sample((5,))[:, 3], last.log_evidence().kind
        (torch.Size([5, 4]), tensor([1., 1., 1., 1., 1.]), 'lower')
    """

    log_prob_kind: LogProbKind = "none"

    def __init__(
        self,
        law: Autoregressive,
        x: Tensor,
        observed: Tensor,
        *,
        num_particles: int = 64,
        look_ahead: LookAhead | None = None,
        threshold: float = 0.5,
        validate_args: bool | None = None,
    ) -> None:
        if num_particles < 1:
            raise ValueError(f"`num_particles` must be at least 1; got {num_particles}.")
        if not 0 <= threshold <= 1:
            raise ValueError(f"`threshold` must lie in [0, 1]; got {threshold}.")
        self.num_particles, self.look_ahead, self.threshold = num_particles, look_ahead, threshold
        super().__init__(law, x, observed, validate_args=validate_args)

    def particles(self, sample_shape: Sequence[int] = torch.Size()) -> WeightedCompletions:
        """Runs of the filter, independent of each other: weighted particles with batch shape ``[*sample_shape, *batch]``.

        Args:
            sample_shape: Shape of the runs of each element of the batch.
        """
        return self._run(sample_shape, complete=True)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw completed events ``[*sample_shape, *batch, *event]``, each from a run of its own."""
        return self.particles(sample_shape).pick()

    def log_evidence(self, num_runs: int = 8) -> Estimate:
        r"""Estimate :math:`\log p(x_o)` in nats, ``[*batch]``; the exponential of the value is unbiased.

        Args:
            num_runs: Independent runs, whose estimates of :math:`p(x_o)` are averaged; their spread gives the error.

        Raises:
            ValueError: fewer than one run.
        """
        if num_runs < 1:
            raise ValueError(f"`num_runs` must be at least 1; got {num_runs}.")
        return log_mean_exp_estimate(self._run((num_runs,), complete=False).log_evidence)

    def log_prob(self, value: Tensor) -> Tensor:
        """Not available.

        Raises:
            DensityUnavailable: always.
        """
        raise DensityUnavailable(type(self).__name__, "the evidence is estimated", "`.log_prob_estimate` or `.log_evidence`")

    def log_prob_estimate(self, value: Tensor, num_draws: int = 8) -> Estimate:
        r"""Estimate :math:`\log p(x_u \mid x_o) = \log p(x) - \log p(x_o)` in nats, ``[*sample, *batch]``, from above.

        Args:
            value: Completed events ``[*sample, *batch, *event]``.
            num_draws: Independent runs for the evidence.
        """
        self._check_shape(value)
        with torch.no_grad():
            evidence = self.log_evidence(num_draws)
            joint = self.law.log_prob(value)
            log_prob = torch.where(self.agrees(value), joint - evidence.value, -math.inf)
        return Estimate(log_prob, evidence.stderr.expand_as(log_prob), "upper")

    def _run(self, sample_shape: Sequence[int], *, complete: bool) -> WeightedCompletions:
        return run_particles(
            self,
            self.num_particles,
            torch.Size((*sample_shape, *self.batch_shape)),
            look_ahead=self.look_ahead,
            threshold=self.threshold,
            complete=complete,
        )
