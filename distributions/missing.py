r"""Missing values: the likelihood of the observed part and imputation of the rest, for any density on :math:`\mathbb R^D`.

Split :math:`x = (x_o, x_m)`. The likelihood of the observed part is the integral

.. math::

    p(x_o) = \int p(x_o, x_m)\, \mathrm dx_m
           = \mathbb E_{x_m \sim q(\cdot \mid x_o)} \left[ \frac{p(x_o, x_m)}{q(x_m \mid x_o)} \right].

The proposal :math:`q` is the multivariate Student t distribution whose location and scale are those of the Gaussian with the
distribution's own mean and covariance (estimated from draws), conditioned on :math:`x_o`. Its heavy tails keep the weights
bounded where the density has Gaussian tails. The weights are unbiased for :math:`p(x_o)`, hence their log mean is a lower bound
of :math:`\log p(x_o)`; for a Gaussian it is sharp. The same weights resample imputations
(sampling-importance-resampling); these follow :math:`p(x_m \mid x_o)` in the limit of many proposals.

Every row may miss other coordinates. With :math:`M = \operatorname{diag}(o)` the conditioning is written on full-size matrices,
so no row is indexed by its own mask:

.. math::

    K = \Sigma M (M \Sigma M + I - M)^{-1}, \quad
    \mu_{\mid o} = \mu + K M (x - \mu), \quad
    \Sigma_{\mid o} = \Sigma - K M \Sigma.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions.base import Distribution
from probgen.distributions.constraints import is_real
from probgen.distributions.estimate import DensityUnavailable, Estimate, log_mean_exp_estimate

__all__ = ["impute", "observed_log_prob"]

_DEGREES_OF_FREEDOM = 5.0
_PILOT_DRAWS = 4096


class _Proposal(NamedTuple):
    """A Student t distribution over the missing coordinates of every row; observed ones have no spread."""

    loc: Tensor
    scale_tril: Tensor
    missing: Tensor


class _Weighted(NamedTuple):
    """Completed rows ``[n, *batch, D]`` and their log-weights ``[n, *batch]``."""

    completed: Tensor
    log_weights: Tensor


def observed_log_prob(
    distribution: Distribution, value: Tensor, observed: Tensor | None = None, *, num_draws: int = 1024
) -> Estimate:
    r"""Estimate :math:`\log p(x_o)` by importance sampling.

    Args:
        distribution: A distribution with exact ``log_prob``, real support and events of shape ``(D,)``.
        value: Data ``[*batch, D]``; what stands at missing coordinates is ignored. The batch broadcasts with the law's.
        observed: True where a coordinate is observed, broadcastable with ``value``; None: where it is not NaN.
        num_draws: Importance samples for each row.

    Returns:
        A lower bound in expectation, in nats, shape ``[*batch]``; its standard error tells how sharp it is.

    Raises:
        DensityUnavailable: the distribution has no exact density.
        ValueError: the event is not a vector, or the support is not the reals.

    References:
        Owen (2013). Monte Carlo theory, methods and examples, chapter 9. https://artowen.su.domains/mc/

    Example:
        >>> import math, torch
        >>> from probgen.distributions import observed_log_prob, standard_normal
        >>> _ = torch.manual_seed(0)
        >>> estimate = observed_log_prob(standard_normal(2), torch.tensor([0.0, math.nan]))
        >>> estimate.kind, bool((estimate.value + 0.5 * math.log(2 * math.pi)).abs() < 0.1)
        ('lower', True)
    """
    return log_mean_exp_estimate(_propose(distribution, value, observed, num_draws).log_weights)


def impute(
    distribution: Distribution,
    value: Tensor,
    observed: Tensor | None = None,
    *,
    num_samples: int = 1,
    num_proposals: int = 1024,
) -> Tensor:
    r"""Draw the missing coordinates from :math:`p(x_m \mid x_o)` by sampling-importance-resampling.

    Draws for one row are resampled, with replacement, from ``num_proposals`` proposals; take many more proposals than samples.

    Args:
        distribution: A distribution with exact ``log_prob``, real support and events of shape ``(D,)``.
        value: Data ``[*batch, D]``; what stands at missing coordinates is ignored. The batch broadcasts with the law's.
        observed: True where a coordinate is observed, broadcastable with ``value``; None: where it is not NaN.
        num_samples: How many completions of each row.
        num_proposals: Proposals for each row.

    Returns:
        Completed rows ``[num_samples, *batch, D]``; observed coordinates are as given.

    Raises:
        DensityUnavailable: the distribution has no exact density.
        ValueError: the event is not a vector, or the support is not the reals.

    References:
        Rubin (1988). Using the SIR algorithm to simulate posterior distributions. Bayesian Statistics 3.

    Example:
        >>> import math, torch
        >>> from probgen.distributions import impute, standard_normal
        >>> impute(standard_normal(2), torch.tensor([0.5, math.nan]), num_samples=3)[:, 0]
        tensor([0.5000, 0.5000, 0.5000])
    """
    with torch.no_grad():
        weighted = _propose(distribution, value, observed, num_proposals)
        weights = torch.softmax(weighted.log_weights.movedim(0, -1), -1)
        chosen = torch.distributions.Categorical(weights, validate_args=False).sample(torch.Size((num_samples,)))
        index = chosen.unsqueeze(-1).expand(*chosen.shape, value.shape[-1])
        return weighted.completed.gather(0, index)


def _propose(distribution: Distribution, value: Tensor, observed: Tensor | None, count: int) -> _Weighted:
    _require_vector_density(distribution)
    distribution._check_shape(value)
    seen = ~value.isnan() if observed is None else observed
    shape = torch.broadcast_shapes(value.shape, (*distribution.batch_shape, *distribution.event_shape), seen.shape)
    value, seen = value.expand(shape), seen.expand(shape).to(value.dtype)
    with torch.no_grad():
        filled = torch.where(seen > 0, value.detach(), torch.zeros_like(value))
        proposal = _conditioned(*_moments(distribution, value), filled, seen)
        drawn, log_proposal = _draw(proposal, count)
    completed = torch.where(seen > 0, value.expand(drawn.shape), drawn)
    return _Weighted(completed, distribution.log_prob(completed) - log_proposal)


def _moments(distribution: Distribution, value: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``[*batch, D]`` and covariance ``[*batch, D, D]`` of the distribution, from its own draws."""
    draws = distribution.sample((_PILOT_DRAWS,)).to(value)
    mean = draws.mean(0)
    centered = draws - mean
    covariance = torch.einsum("n...i,n...j->...ij", centered, centered) / (_PILOT_DRAWS - 1)
    ridge = 1e-6 * covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    return mean, covariance + ridge * torch.eye(value.shape[-1], dtype=value.dtype, device=value.device)


def _conditioned(mean: Tensor, covariance: Tensor, value: Tensor, seen: Tensor) -> _Proposal:
    """Condition the Gaussian on the observed coordinates of every row; observed coordinates get unit scale."""
    row, column, identity = seen.unsqueeze(-1), seen.unsqueeze(-2), torch.diag_embed(torch.ones_like(seen))
    inner = row * covariance * column + identity * (1 - row)
    gain = torch.linalg.solve(inner, column.mT * covariance).mT
    loc = mean + (gain @ (seen * (value - mean)).unsqueeze(-1)).squeeze(-1)
    spread = covariance - gain @ (row * covariance)
    missing = 1 - seen
    spread = missing.unsqueeze(-1) * spread * missing.unsqueeze(-2) + identity * row
    spread = 0.5 * (spread + spread.mT)
    return _Proposal(loc, torch.linalg.cholesky(spread), missing)


def _draw(proposal: _Proposal, count: int) -> tuple[Tensor, Tensor]:
    """Draw ``[n, *batch, D]`` from the Student t proposal with its log-density ``[n, *batch]`` over the missing coordinates."""
    nu, missing = _DEGREES_OF_FREEDOM, proposal.missing
    noise = torch.randn((count, *missing.shape), dtype=missing.dtype, device=missing.device) * missing
    chi = torch.distributions.Chi2(torch.full_like(missing[..., 0], nu), validate_args=False).sample(torch.Size((count,)))
    standard = noise * (nu / chi).sqrt().unsqueeze(-1)
    drawn = proposal.loc + (proposal.scale_tril @ standard.unsqueeze(-1)).squeeze(-1)
    dim = missing.sum(-1)
    half = torch.as_tensor(nu / 2, dtype=dim.dtype, device=dim.device)
    level = torch.lgamma(half + dim / 2) - torch.lgamma(half) - 0.5 * dim * math.log(nu * math.pi)
    level = level - proposal.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return drawn, level - (half + dim / 2) * torch.log1p(standard.square().sum(-1) / nu)


def _require_vector_density(distribution: Distribution) -> None:
    name = type(distribution).__name__
    if distribution.log_prob_kind != "exact":
        raise DensityUnavailable(name, f"its `log_prob` is {distribution.log_prob_kind!r}", "a distribution with exact density")
    if len(distribution.event_shape) != 1:
        raise ValueError(f"`distribution` must have events of shape (D,); {name} has {tuple(distribution.event_shape)}.")
    if not is_real(distribution.support):
        raise ValueError(f"`distribution` must be supported on the reals; {name} is supported on {distribution.support}.")
