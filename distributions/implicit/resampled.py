r"""Corrected laws by importance resampling: of K proposals, one, chosen by weight.

.. math:: x = x_I, \qquad x_1, \dots, x_K \sim q, \qquad \Pr(I = i) = \frac{e^{r(x_i)}}{\sum_j e^{r(x_j)}}

Every draw has proposals of its own, so that draws are independent. Their law tends to :math:`q e^r / Z` with an error of order
:math:`\chi^2 / K`: at :math:`K = 1` it is :math:`q`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from probgen.distributions._checks import values_readable
from probgen.distributions.implicit.corrected import CorrectedDistribution
from probgen.distributions.implicit.weighted import taken

__all__ = ["ResampledDistribution"]


class ResampledDistribution(CorrectedDistribution):
    r"""A law corrected by importance resampling.

    One call costs K draws of the proposal for every draw. For expectations use ``weighted``, which throws nothing away, and
    whose ``efficiency`` says how large K has to be: much more than one by it.

    Args:
        proposal: The law that is corrected.
        log_ratio: From events ``[*sample, *batch, *event]`` to log-ratios ``[*sample, *batch]``: a ``DensityRatio``, say.
        num_proposals: How many draws, K, of the proposal every draw is chosen from.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``num_proposals`` is not positive; in drawing: no proposal has any weight.

    References:
        Rubin (1988). Using the SIR algorithm to simulate posterior distributions. Bayesian Statistics 3.

        Grover et al. (2019). Bias correction of learned generative models using likelihood-free importance weighting.
        https://arxiv.org/abs/1906.09531

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.implicit import ResampledDistribution
        >>> _ = torch.manual_seed(0)
        >>> law = ResampledDistribution(dist.Normal(1.0, 1.0), lambda x: 0.5 - x, num_proposals=100)  # N(0, 1)
        >>> bool(law.sample((4000,)).mean().abs() < 0.1), bool((law.weighted(100_000).efficiency - 0.3679).abs() < 0.02)
        (True, True)
    """

    def __init__(
        self,
        proposal: torch.distributions.Distribution,
        log_ratio: Callable[[Tensor], Tensor],
        num_proposals: int = 64,
        *,
        validate_args: bool | None = None,
    ) -> None:
        if num_proposals < 1:
            raise ValueError(f"`num_proposals` must be at least 1; got {num_proposals}.")
        self.num_proposals = num_proposals
        super().__init__(proposal, log_ratio, validate_args=validate_args)

    def _draw(self, shape: torch.Size) -> Tensor:
        pool = self.proposal.sample(torch.Size((self.num_proposals, *shape)))
        log_weights = self._ratio_at(pool)
        best = log_weights.max(0).values
        if values_readable(best) and bool((best.isnan() | (best == -torch.inf)).any()):
            raise ValueError("`log_ratio` must be above minus infinity for one of the proposals at least, and not NaN.")
        chosen = (log_weights - torch.empty_like(log_weights).exponential_().log()).argmax(0, keepdim=True)  # Gumbel's way
        return taken(pool, chosen)[0]
