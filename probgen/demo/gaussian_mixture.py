r"""Mixtures of Gaussians by expectation maximization: what a density model of a table has to beat.

With responsibilities :math:`r_{nk} = p(k \mid x_n)` under the present parameters, each step sets

.. math::

    \pi_k = \frac1N \sum_n r_{nk}, \qquad \mu_k = \frac{\sum_n r_{nk} x_n}{\sum_n r_{nk}}, \qquad
    \Sigma_k = \frac{\sum_n r_{nk} (x_n - \mu_k)(x_n - \mu_k)^\top}{\sum_n r_{nk}} + \epsilon I,

which for :math:`\epsilon = 0` never lowers the likelihood of the data. One component is the Gaussian of maximum likelihood.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

__all__ = ["fit_gaussian_mixture"]


def fit_gaussian_mixture(
    x: Tensor,
    components: int,
    *,
    held_out: Tensor | None = None,
    iterations: int = 100,
    ridge: float = 1e-4,
    seed: int = 0,
) -> MixtureSameFamily:
    r"""Fit a mixture of Gaussians with full covariances, in float64.

    It starts at components around random rows, with the covariance of all data over :math:`K^{2/D}`, and stops early where the
    mean log-likelihood of the held-out rows has fallen three times in a row: the mixture with the best one is returned.

    Args:
        x: Rows, ``[n, D]``.
        components: How many Gaussians, K.
        held_out: Rows that decide when to stop, ``[m, D]``; those of ``x`` if None.
        iterations: The most steps of expectation maximization.
        ridge: The number :math:`\epsilon` added to variances, in squared units of the data.
        seed: Chooses the rows to start at.

    Returns:
        A law of vectors with batch shape ``()``.

    Raises:
        ValueError: ``x`` has no two axes, or there are not between 1 and n components.

    References:
        Dempster, Laird, Rubin (1977). Maximum likelihood from incomplete data via the EM algorithm.
        https://doi.org/10.1111/j.2517-6161.1977.tb01600.x

    Example:
        >>> import torch
        >>> from probgen.demo import fit_gaussian_mixture
        >>> x = torch.cat([torch.randn(500, 2) - 5, torch.randn(500, 2) + 5])
        >>> means = fit_gaussian_mixture(x, 2, seed=1).component_distribution.mean.sum(-1).sort().values
        >>> bool((means - torch.tensor([-10.0, 10.0])).abs().max() < 0.5)
        True
    """
    if x.dim() != 2:
        raise ValueError(f"`x` must have two axes, rows and columns; got shape {tuple(x.shape)}.")
    if not 1 <= components <= len(x):
        raise ValueError(f"`components` must lie between 1 and the number of rows, {len(x)}; got {components}.")
    x, held = x.double(), (x if held_out is None else held_out).double()
    start = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:components]
    covariance = _covariances(x, torch.ones(len(x), 1, dtype=x.dtype), x.mean(0, keepdim=True), ridge)
    covariance = covariance / components ** (2 / x.shape[1])
    law = _mixture(torch.ones(components, dtype=x.dtype), x[start], covariance.expand(components, -1, -1))
    best, value, falls = law, -torch.inf, 0
    for _ in range(iterations):
        law = _step(law, x, ridge)
        score = float(_log_prob(law, held).mean())
        falls = 0 if score > value else falls + 1
        if score > value:
            best, value = law, score
        if falls == 3:
            break
    return best


def _step(law: MixtureSameFamily, x: Tensor, ridge: float) -> MixtureSameFamily:
    """Responsibilities, then weights, means and covariances."""
    joint = torch.cat([_joint(law, rows) for rows in x.split(4096)])
    weights = joint.softmax(-1)
    total = weights.sum(0).clamp_min(1e-9)
    means = weights.T @ x / total[:, None]
    return _mixture(total, means, _covariances(x, weights, means, ridge))


def _covariances(x: Tensor, weights: Tensor, means: Tensor, ridge: float) -> Tensor:
    """One covariance a component, ``[K, D, D]``: a column of ``weights`` ``[n, K]`` each."""
    eye = ridge * torch.eye(x.shape[-1], dtype=x.dtype)
    found = []
    for column, mean in zip(weights.T, means, strict=True):
        centered = x - mean
        found.append((centered * column[:, None]).T @ centered / column.sum().clamp_min(1e-9) + eye)
    return torch.stack(found)


def _mixture(weights: Tensor, means: Tensor, covariances: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(weights), MultivariateNormal(means, covariances))


def _joint(law: MixtureSameFamily, x: Tensor) -> Tensor:
    r""":math:`\log \pi_k + \log p_k(x_n)`, ``[n, K]``."""
    logits: Tensor = law.mixture_distribution.logits
    return logits + law.component_distribution.log_prob(x[:, None])


def _log_prob(law: MixtureSameFamily, x: Tensor) -> Tensor:
    return torch.cat([_joint(law, rows).logsumexp(-1) for rows in x.split(4096)])
