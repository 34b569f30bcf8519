r"""Looking ahead: how probable the observed positions to come are, by a normal law with the moments of the model.

Sequential Monte Carlo weights a particle by what is observed as it gets there; a *twist* :math:`\psi_k` tells earlier which
particles will fit. Any positive function leaves the evidence unbiased; a good one is near
:math:`p(x_{o > k} \mid x_{<k}, x_{o \cap k})`. Here it is that conditional density of the normal law
:math:`\mathcal N(\mu, \Sigma)` whose moments are those of draws from the model,

.. math:: \log\psi_k = s\,\bigl[\log \mathcal N(x_{A \cup F}; \mu, \Sigma) - \log \mathcal N(x_A; \mu, \Sigma)\bigr],

with A what is known at level k, F what is observed later, and a strength s. It needs no training. Where a set of coordinates is
needed, the others get unit variance and no covariance, so rows of a batch may have masks of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.distribution import Autoregressive

__all__ = ["GaussianLookAhead"]


class GaussianLookAhead:
    """A twist for ``Autoregressive.given``: the normal law with the moments of the model, conditioned on what is known.

    For up to some hundreds of numbers an event: each level decomposes two matrices of that size.

    Args:
        law: The law of whole events, without batch dimensions.
        observed: The positions that will be observed, ``[*batch, *grid]``.
        num_draws: Draws that the moments are taken from.
        strength: A factor on the logarithm; less than one trusts the normal law less.
        ridge: Added to the variances, in units of their mean: keeps constant pixels from deciding everything.

    Raises:
        ValueError: the law has batch dimensions, or a number is not positive.

    References:
        Whiteley, Lee (2014). Twisted particle filters. https://arxiv.org/abs/1210.0220

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive import GaussianLookAhead
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(4, 1, hidden=(16,)), (4,), BernoulliElement())
        >>> observed = torch.tensor([False, False, False, True])
        >>> p.given(torch.ones(4), observed, look_ahead=GaussianLookAhead(p, observed)).sample((5,)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self, law: Autoregressive, observed: Tensor, *, num_draws: int = 4096, strength: float = 1.0, ridge: float = 0.1
    ) -> None:
        if law.batch_shape:
            raise ValueError(f"`law` must have no batch dimensions; got {tuple(law.batch_shape)}.")
        if num_draws < 2 or strength <= 0 or ridge <= 0:
            raise ValueError(
                f"`num_draws` must be at least 2, `strength` and `ridge` positive; got {num_draws}, {strength} and {ridge}."
            )
        self.positions, self.strength = law.positions, strength
        self.observed = self._numbers(observed.reshape(*observed.shape[: observed.dim() - len(law.positions.grid)], -1))
        self.depth = self._numbers(law.positions.depth().to(observed.device))
        draws = self._flat(law.sample((num_draws,)))
        self.mean = draws.mean(0)
        centered = draws - self.mean
        covariance = centered.mT @ centered / (num_draws - 1)
        extra = ridge * covariance.diagonal().mean().clamp(min=torch.finfo(draws.dtype).tiny)
        self.covariance = covariance + extra * torch.eye(len(covariance), dtype=draws.dtype, device=draws.device)

    def __call__(self, level: int, values: Tensor, params: Tensor) -> Tensor:
        """The logarithm of the twist at a level, ``[K, *batch]``; see ``LookAhead``."""
        known = (self.depth < level) | (self.observed & (self.depth == level))
        deviation = self._flat(values) - self.mean
        found = self._log_density(deviation, known | self.observed) - self._log_density(deviation, known)
        return self.strength * found

    def _log_density(self, deviation: Tensor, chosen: Tensor) -> Tensor:
        """The log-density of the chosen coordinates, up to a constant that depends on the choice only."""
        row = chosen.to(deviation.dtype)
        identity = torch.diag_embed(1 - row)
        factor = torch.linalg.cholesky(row.unsqueeze(-1) * self.covariance * row.unsqueeze(-2) + identity)
        unit = torch.eye(len(self.mean), dtype=factor.dtype, device=factor.device)
        whitening, rows = torch.linalg.solve_triangular(factor, unit, upper=False), deviation * row
        shared = whitening.dim() == 2  # one matrix for all rows, or each its own
        solved = rows @ whitening.mT if shared else (rows.unsqueeze(-2) @ whitening.mT).squeeze(-2)
        found: Tensor = -0.5 * solved.square().sum(-1) - factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return found

    def _flat(self, events: Tensor) -> Tensor:
        """Events as vectors, position after position, in double precision."""
        rows = self.positions.rows(events).double()
        return rows.reshape(*rows.shape[: rows.dim() - 1 - len(self.positions.element)], -1)

    def _numbers(self, positions: Tensor) -> Tensor:
        """Something of each position ``[*batch, D]`` for each of its numbers."""
        count = torch.Size(self.positions.element).numel()
        return positions.repeat_interleave(count, -1)
