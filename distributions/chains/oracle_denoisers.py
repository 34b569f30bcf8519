r"""Exact denoisers of Gaussian and Gaussian-mixture data: the test-beds of everything that uses a denoiser.

For :math:`x_0 \sim \mathcal N(m, S)` and :math:`C = \alpha^2 S + \sigma^2 I`,

.. math::

    \mathbb E[x_0 \mid x] = m + \alpha S C^{-1}(x - \alpha m), \qquad
    \mathrm{Cov}[x_0 \mid x] = S - \alpha^2 S C^{-1} S = \sigma^2 S C^{-1}.

For a mixture the components' posteriors are weighted by the responsibilities of
:math:`q_t = \sum_k \pi_k\, \mathcal N(\alpha m_k, C_k)`.
"""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains.denoiser import Denoiser
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.schedule import Schedule, Times
from probgen.distributions.events import checked, normal_over_event, over_event, scored

__all__ = ["GaussianDenoiser", "MixtureDenoiser"]


class GaussianDenoiser(Denoiser):
    r"""The exact denoiser of independent Gaussian coordinates :math:`x_0 \sim \mathcal N(m, \mathrm{diag}(v))`.

    Args:
        schedule: The noise schedule.
        mean: The mean m, of the shape of one datum.
        variance: The variances v, broadcasting with the mean.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianDenoiser, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> denoised = oracle(torch.ones(1), 0.5)
        >>> bool(torch.isclose(denoised.variance, oracle.schedule.sigma(0.5).float() ** 2))  # at unit variance
        True
    """

    data_mean: Tensor
    data_variance: Tensor

    def __init__(self, schedule: Schedule, mean: Tensor, variance: Tensor) -> None:
        super().__init__(schedule, mean.shape)
        self.register_buffer("data_mean", mean)
        self.register_buffer("data_variance", variance.expand_as(mean).clone())

    @property
    def data(self) -> TorchDistribution:
        """The law of the data."""
        return normal_over_event(self.data_mean, self.data_variance.sqrt(), self.event_dim)

    def marginal(self, t: Times) -> TorchDistribution:
        """The law of the noisy data at times ``t`` of shape ``[*batch]``."""
        level = self.schedule.level(t)
        alpha, sigma = self._scales(level, self.data_mean)
        return normal_over_event(alpha * self.data_mean, self._total(alpha, sigma).sqrt(), self.event_dim)

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The posterior mean."""
        alpha, sigma = self._scales(level, x_t)
        gain = alpha * self.data_variance / self._total(alpha, sigma)
        return self.data_mean + gain * (x_t - alpha * self.data_mean)

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        """The normal posterior."""
        alpha, sigma = self._scales(level, x_t)
        variance = self.data_variance * sigma.square() / self._total(alpha, sigma)
        return normal_over_event(self.predict(x_t, level, context), variance.sqrt(), self.event_dim)

    def _scales(self, level: NoiseLevel, like: Tensor) -> tuple[Tensor, Tensor]:
        return over_event(level.alpha, self.event_dim, like), over_event(level.sigma, self.event_dim, like)

    def _total(self, alpha: Tensor, sigma: Tensor) -> Tensor:
        return alpha.square() * self.data_variance + sigma.square()


class MixtureDenoiser(Denoiser):
    r"""The exact denoiser of a Gaussian mixture over vectors, :math:`x_0 \sim \sum_k \pi_k \mathcal N(m_k, S_k)`.

    One component gives correlated Gaussian data.

    Args:
        schedule: The noise schedule.
        logits: Unnormalized log-weights ``[K]``.
        means: Component means ``[K, D]``.
        covariances: Component covariance matrices ``[K, D, D]``.

    Raises:
        ValueError: shapes do not fit together.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import MixtureDenoiser, cosine_schedule
        >>> means = torch.tensor([[-2.0], [2.0]])
        >>> oracle = MixtureDenoiser(cosine_schedule(), torch.zeros(2), means, 0.01 * torch.eye(1).expand(2, 1, 1))
        >>> round(float(oracle(torch.zeros(1), 0.9).mean), 4)  # between the two, by symmetry
        0.0
    """

    logits: Tensor
    means: Tensor
    covariances: Tensor

    def __init__(self, schedule: Schedule, logits: Tensor, means: Tensor, covariances: Tensor) -> None:
        components, dim = means.shape if means.dim() == 2 else (-1, -1)
        if logits.shape != (components,) or covariances.shape != (components, dim, dim):
            raise ValueError(
                "`logits`, `means` and `covariances` must have shapes [K], [K, D] and [K, D, D]; "
                f"got {tuple(logits.shape)}, {tuple(means.shape)} and {tuple(covariances.shape)}."
            )
        super().__init__(schedule, (dim,))
        self.register_buffer("logits", logits)
        self.register_buffer("means", means)
        self.register_buffer("covariances", covariances)

    @property
    def data(self) -> TorchDistribution:
        """The law of the data."""
        return self._mixture(self.logits, self.means, self.covariances)

    def marginal(self, t: Times) -> TorchDistribution:
        """The law of the noisy data at times ``t`` of shape ``[*batch]``."""
        level = self.schedule.level(t)
        alpha = over_event(level.alpha, 2, self.means)
        total = self._total(level)
        return self._mixture(self.logits.expand(total.shape[:-2]), alpha * self.means, total)

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The posterior mean; defined also at the data themselves, where the posterior is a point mass."""
        logits, means, _ = self._components(x_t, level)
        return (logits.softmax(-1).unsqueeze(-1) * means).sum(-2)

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        """The exact posterior, again a mixture with K components; it needs noise."""
        return self._mixture(*self._components(x_t, level))

    def _components(self, x_t: Tensor, level: NoiseLevel) -> tuple[Tensor, Tensor, Tensor]:
        """Log-weights ``[*batch, K]``, means and covariances of the posterior's components."""
        alpha = over_event(level.alpha, 2, x_t)
        sigma = over_event(level.sigma, 3, x_t)
        total = self._total(level)
        rest = x_t.unsqueeze(-2) - alpha * self.means
        noisy = dist.MultivariateNormal(torch.zeros_like(rest), total.expand(*rest.shape, rest.shape[-1]), validate_args=False)
        gain = torch.linalg.solve(total, self.covariances.expand_as(total)).mT  # S C^-1
        means = self.means + alpha * (gain * rest.unsqueeze(-2)).sum(-1)  # elementwise: autocast would round a product
        spread = sigma.square() * gain
        spread = (spread + spread.mT) / 2
        return self.logits + scored(noisy, rest), means, spread.expand(*means.shape, means.shape[-1])

    def _total(self, level: NoiseLevel) -> Tensor:
        """The covariances of the noisy components, ``[*batch, K, D, D]``."""
        alpha, sigma = (over_event(value, 3, self.means) for value in (level.alpha, level.sigma))
        identity = torch.eye(self.means.shape[-1], dtype=self.means.dtype, device=self.means.device)
        return alpha.square() * self.covariances + sigma.square() * identity

    def _mixture(self, logits: Tensor, means: Tensor, covariances: Tensor) -> TorchDistribution:
        check = checked(means)
        components = dist.MultivariateNormal(means, covariances, validate_args=check)
        weights = dist.Categorical(logits=logits, validate_args=check)
        return cast(TorchDistribution, dist.MixtureSameFamily(weights, components, validate_args=check))
