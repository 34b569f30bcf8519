r"""Corrected laws: what a generator draws, weighted by what its critic has learned.

.. math:: p^*(x) = \frac{q(x)\, e^{r(x)}}{Z}, \qquad Z = \mathbb E_q[e^{r}]

If :math:`r` is the true log-ratio of the data's law and the generator's, :math:`p^*` *is* the data's law and :math:`Z = 1`; a
critic's :math:`r` brings the generator nearer. Four ways to draw from it:

=============================  =================================  ==========================================
``ResampledDistribution``      one of K proposals, by weight      exact as K grows; error of order 1/K
``RejectionDistribution``      proposals until one is accepted    exact; needs a bound of the ratio
``IndependenceMetropolis``     a chain of proposals               exact as its steps grow
``LatentLangevin``             a chain in the generator's noise   exact as its steps grow; needs gradients
=============================  =================================  ==========================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._wrapping import log_prob_kind_of
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind
from probgen.distributions.events import batch_of, scored
from probgen.distributions.implicit.weighted import WeightedDraws

__all__ = ["CorrectedDistribution"]


class CorrectedDistribution(Distribution):
    r"""The law :math:`q\, e^r / Z` of a proposal :math:`q` and a log-ratio :math:`r` (abstract).

    A subclass writes ``_draw(shape)``, called without gradients. Draws are never differentiable. Where the proposal has a
    density, ``unnormalized_log_prob`` is that of the corrected law up to :math:`\log Z`; where it has none, nothing can be
    scored.

    Args:
        proposal: The law that is corrected.
        log_ratio: From events ``[*sample, *batch, *event]`` to log-ratios ``[*sample, *batch]``: a ``DensityRatio``, say.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: ``proposal`` is not a distribution.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.implicit import ResampledDistribution
        >>> law = ResampledDistribution(dist.Normal(1.0, 1.0), lambda x: 0.5 - x)  # N(0, 1)
        >>> law.unnormalized_log_prob(torch.tensor(0.0))
        tensor(-0.9189)
    """

    has_rsample = False
    log_prob_kind: LogProbKind = "none"

    def __init__(
        self,
        proposal: torch.distributions.Distribution,
        log_ratio: Callable[[Tensor], Tensor],
        *,
        validate_args: bool | None = None,
    ) -> None:
        if not isinstance(proposal, torch.distributions.Distribution):
            raise TypeError(f"`proposal` must be a distribution; got {type(proposal).__name__}.")
        self.proposal = proposal
        self.log_ratio = log_ratio
        super().__init__(proposal.batch_shape, proposal.event_shape, validate_args=validate_args)

    def _draw(self, shape: torch.Size) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_draw`.")

    @constraints.dependent_property
    def support(self) -> Constraint:
        """That of the proposal."""
        return cast(Constraint, self.proposal.support)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.proposal = self.proposal.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return self._draw(torch.Size(sample_shape))

    def weighted(self, num_draws: int) -> WeightedDraws:
        """Draws of the proposal with their weights, for expectations, the effective sample size and log Z; without gradients.

        Args:
            num_draws: How many, for each element of the batch.

        Raises:
            ValueError: ``num_draws`` is not positive.
        """
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        with torch.no_grad():
            value = self.proposal.sample(torch.Size((num_draws,)))
            return WeightedDraws(value, self._ratio_at(value))

    def log_normalizer_estimate(self, num_draws: int) -> Estimate:
        r"""Estimate :math:`\log Z`, in nats, ``[*batch]``, from below.

        Args:
            num_draws: How many draws of the proposal are averaged over.
        """
        return self.weighted(num_draws).log_normalizer

    def unnormalized_log_prob(self, value: Tensor) -> Tensor:
        r"""The log-density up to :math:`\log Z`: :math:`\log q(x) + r(x)` in nats, ``[*sample, *batch]``.

        Raises:
            DensityUnavailable: the proposal has no exact density.
        """
        if log_prob_kind_of(self.proposal) != "exact":
            raise DensityUnavailable(type(self).__name__, "the law that it corrects has none", "`.weighted(n)` or draws")
        self._check_shape(value)
        return scored(cast(TorchDistribution, self.proposal), value) + self._ratio_at(value)

    def log_prob(self, value: Tensor) -> Tensor:
        """Not available: the constant is unknown, and most of these laws are drawn from only in a limit.

        Raises:
            DensityUnavailable: always.
        """
        raise DensityUnavailable(
            type(self).__name__,
            "its normalizing constant is unknown",
            "`.unnormalized_log_prob(x)` where the proposal has a density, `.log_normalizer_estimate(n)`, or `.mask(False)`",
        )

    def _ratio_at(self, value: Tensor) -> Tensor:
        ratio = self.log_ratio(value)
        lead = batch_of("`value`", value, self.event_shape)
        if ratio.shape != lead:
            raise ValueError(f"`log_ratio` must return shape {tuple(lead)}; it returned {tuple(ratio.shape)}.")
        return ratio

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.proposal})"
