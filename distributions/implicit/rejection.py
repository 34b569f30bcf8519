r"""Corrected laws by rejection, where the ratio has a known bound.

.. math:: r(x) \le \log M \text{ for all } x: \qquad x \sim q \text{ is accepted with probability } e^{r(x)} / M .

What is accepted has exactly the law :math:`q e^r / Z`, and the chance of acceptance is :math:`Z / M`, so :math:`1/M` for the
true ratio of two densities.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions._checks import values_readable
from probgen.distributions._wrapping import log_prob_kind_of
from probgen.distributions.estimate import Estimate, LogProbKind
from probgen.distributions.events import over_event
from probgen.distributions.implicit.corrected import CorrectedDistribution

__all__ = ["RejectionDistribution"]


class RejectionDistribution(CorrectedDistribution):
    r"""A law corrected by rejection: exact draws, and an exact density where the constant is known.

    ``log_prob_kind`` is "exact" if the proposal has a density and ``log_normalizer`` is given (0 where ``log_ratio`` is the
    true ratio of two normalized densities), else "none"; then ``log_prob_estimate`` bounds the density from above, as the
    estimate of :math:`\log Z` in it is a lower bound.

    Args:
        proposal: The law that is corrected.
        log_ratio: From events ``[*sample, *batch, *event]`` to log-ratios ``[*sample, *batch]``, bounded.
        log_bound: :math:`\log M`, which no log-ratio exceeds.
        log_normalizer: :math:`\log Z`, where it is known.
        max_rounds: How many proposals a draw may need.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``max_rounds`` is not positive; in drawing: a log-ratio exceeds its bound, or is NaN.
        RuntimeError: in drawing: ``max_rounds`` proposals were not enough.

    References:
        von Neumann (1951). Various techniques used in connection with random digits.

        Azadi et al. (2019). Discriminator rejection sampling. https://arxiv.org/abs/1810.06758

    Example:
        >>> import math, torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.implicit import RejectionDistribution
        >>> _ = torch.manual_seed(0)
        >>> q, p = dist.Normal(0.0, 2.0), dist.Normal(0.0, 1.0)
        >>> law = RejectionDistribution(q, lambda x: p.log_prob(x) - q.log_prob(x), math.log(2), log_normalizer=0.0)
        >>> torch.allclose(law.log_prob(torch.ones(3)), p.log_prob(torch.ones(3)))
        True
        >>> bool((law.propose((10_000,))[1].double().mean() - 0.5).abs() < 0.03)  # accepted: 1/M
        True
    """

    def __init__(
        self,
        proposal: torch.distributions.Distribution,
        log_ratio: Callable[[Tensor], Tensor],
        log_bound: float,
        *,
        log_normalizer: float | None = None,
        max_rounds: int = 10_000,
        validate_args: bool | None = None,
    ) -> None:
        if max_rounds < 1:
            raise ValueError(f"`max_rounds` must be at least 1; got {max_rounds}.")
        self.log_bound = log_bound
        self.log_normalizer = log_normalizer
        self.max_rounds = max_rounds
        super().__init__(proposal, log_ratio, validate_args=validate_args)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """What the density is: "exact" if everything is known, else "none"."""
        known = self.log_normalizer is not None and log_prob_kind_of(self.proposal) == "exact"
        return "exact" if known else "none"

    def propose(self, sample_shape: tuple[int, ...] = ()) -> tuple[Tensor, Tensor]:
        """One round: draws of the proposal, ``[*sample_shape, *batch, *event]``, and which of them are accepted.

        Args:
            sample_shape: Shape of the draws.

        Raises:
            ValueError: a log-ratio exceeds its bound, or is NaN.
        """
        with torch.no_grad():
            value = self.proposal.sample(torch.Size(sample_shape))
            excess = self._ratio_at(value) - self.log_bound
            room = 1e-4 * (1 + abs(self.log_bound))
            if values_readable(excess) and not bool((excess <= room).all()):
                raise ValueError(
                    f"`log_ratio` must not exceed `log_bound`, {self.log_bound:.6g}; it does by {float(excess.max()):.3g}."
                )
            return value, torch.rand_like(excess).log() < excess

    def _draw(self, shape: torch.Size) -> Tensor:
        value, accepted = self.propose(shape)
        for _ in range(self.max_rounds - 1):
            if bool(accepted.all()):
                return value
            newer, fits = self.propose(shape)
            value = torch.where(over_event(accepted, len(self.event_shape), like=accepted), value, newer)
            accepted = accepted | fits
        if not bool(accepted.all()):
            raise RuntimeError(
                f"{int((~accepted).sum())} of {accepted.numel()} draws were not accepted in {self.max_rounds} rounds; "
                "`log_bound` may be far too large."
            )
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        """The log-density in nats, ``[*sample, *batch]``.

        Raises:
            DensityUnavailable: the constant is not given, or the proposal has no density.
        """
        if self.log_normalizer is None:
            return super().log_prob(value)
        if self._checks_values(value):
            self._check_support(value)
        return self.unnormalized_log_prob(value) - self.log_normalizer

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1000) -> Estimate:
        r"""The log-density, with an estimate of :math:`\log Z` where it is not given: then an upper bound in expectation.

        Args:
            value: Points ``[*sample, *batch, *event]``.
            num_draws: Draws of the proposal for :math:`Z`.

        Raises:
            DensityUnavailable: the proposal has no density.
        """
        if self.log_normalizer is not None:
            return super().log_prob_estimate(value)
        above = self.unnormalized_log_prob(value)
        below = self.log_normalizer_estimate(num_draws)
        return Estimate(above - below.value, below.stderr.expand_as(above), "upper")

    def acceptance(self, num_draws: int) -> float:
        """The share of accepted proposals: Z/M, known or from draws, over the whole batch.

        Args:
            num_draws: How many proposals, for each element of the batch.
        """
        if self.log_normalizer is not None:
            return math.exp(self.log_normalizer - self.log_bound)
        return float(self.propose((num_draws,))[1].double().mean())
