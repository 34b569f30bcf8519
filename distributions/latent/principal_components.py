r"""Probabilistic principal component analysis: the latent-variable model in which nothing has to be approximated.

.. math::

    z \sim \mathcal N(0, I_q), \qquad x \mid z \sim \mathcal N(\mu + W z, \sigma^2 I_d), \qquad
    x \sim \mathcal N(\mu, W W^\top + \sigma^2 I_d), \qquad
    z \mid x \sim \mathcal N\bigl(M^{-1} W^\top (x - \mu), \sigma^2 M^{-1}\bigr), \quad M = W^\top W + \sigma^2 I_q .

With the covariance of the data :math:`S = U \Lambda U^\top`, eigenvalues :math:`l_1 \ge \dots \ge l_d`, the likelihood is
largest at

.. math::

    \sigma^2 = \frac{1}{d - q} \sum_{j > q} l_j, \qquad W = U_q (\Lambda_q - \sigma^2 I)^{1/2} R
    \quad\text{for any rotation } R,

and where :math:`\sigma^2` is held fixed, the directions with :math:`l_j \le \sigma^2` get no loading: they *collapse*, in the
best model. It is the linear variational autoencoder, so everything that is estimated elsewhere has its exact value here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self, cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.base import Distribution
from probgen.distributions.events import checked, normal_over_event, scored
from probgen.distributions.latent.latent_variable import LatentVariable
from probgen.distributions.standard import standard_normal

__all__ = ["ProbabilisticPCA"]


class ProbabilisticPCA(Distribution):
    r"""The linear-Gaussian latent-variable model, with exact density, posterior and bound.

    Attributes:
        mean: :math:`\mu`, shape ``[d]``.
        loadings: :math:`W`, shape ``[d, q]``.
        noise_variance: :math:`\sigma^2`, a scalar.

    Args:
        mean: Shape ``[d]``.
        loadings: Shape ``[d, q]``.
        noise_variance: Positive, a number or a scalar tensor.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the shapes do not fit, or the noise variance is not positive.

    References:
        Tipping, Bishop (1999). Probabilistic principal component analysis. https://doi.org/10.1111/1467-9868.00196
        Lucas, Tucker, Grosse, Norouzi (2019). Don't blame the ELBO! A linear VAE perspective on posterior collapse.
        https://arxiv.org/abs/1911.02469

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import ProbabilisticPCA
        >>> p = ProbabilisticPCA(torch.zeros(3), torch.tensor([[1.0], [0.0], [0.0]]), 1.0)
        >>> x = torch.tensor([1.0, 0.0, 0.0])
        >>> p.log_prob(x), p.elbo(x), p.posterior(x).mean  # the posterior is exact, so is the bound
        (tensor(-3.3534), tensor(-3.3534), tensor([0.5000]))
    """

    has_rsample = True

    def __init__(
        self, mean: Tensor, loadings: Tensor, noise_variance: Tensor | float, *, validate_args: bool | None = None
    ) -> None:
        if mean.dim() != 1 or loadings.dim() != 2 or loadings.shape[0] != mean.shape[0]:
            raise ValueError(
                f"`mean` must be [d] and `loadings` [d, q]; got shapes {tuple(mean.shape)} and {tuple(loadings.shape)}."
            )
        variance = torch.as_tensor(noise_variance, dtype=loadings.dtype, device=loadings.device)
        if variance.dim():
            raise ValueError(f"`noise_variance` must be one number; got shape {tuple(variance.shape)}.")
        if checked(variance) is not False and not bool(variance > 0):
            raise ValueError(f"`noise_variance` must be positive; got {float(variance)}.")
        self._mean = mean
        self.loadings = loadings
        self.noise_variance = variance
        super().__init__(torch.Size(), mean.shape, validate_args=validate_args)

    # ---------------------------------------------------------------------------------------------------------------------- fit

    @classmethod
    def fit(
        cls,
        x: Tensor,
        num_latents: int,
        *,
        noise_variance: float | None = None,
        rotation: Tensor | None = None,
    ) -> ProbabilisticPCA:
        r"""The model of highest likelihood for data ``[n, d]``, in closed form.

        Args:
            x: Data, one row a datum.
            num_latents: The number q of latents, less than d.
            noise_variance: Held fixed at this value; by default it is fitted, too.
            rotation: The orthogonal matrix R, ``[q, q]``, on which the likelihood does not depend; by default the identity,
                with which the latents are independent given x.

        Raises:
            ValueError: the data are no matrix, q is not in 1, ..., d - 1, or there is no noise left to fit.

        Example:
            >>> import torch
            >>> from probgen.distributions.latent import ProbabilisticPCA
            >>> x = torch.tensor([[2.0, 1.0], [2.0, -1.0], [-2.0, 1.0], [-2.0, -1.0]])  # variances 4 and 1
            >>> p = ProbabilisticPCA.fit(x, 1)
            >>> p.noise_variance, p.num_active, ProbabilisticPCA.fit(x, 1, noise_variance=4.5).num_active
            (tensor(1.), tensor(1), tensor(0))
        """
        if x.dim() != 2 or not len(x):
            raise ValueError(f"`x` must be a matrix of data [n, d] with n >= 1; got shape {tuple(x.shape)}.")
        if not 1 <= num_latents < x.shape[1]:
            raise ValueError(f"`num_latents` must lie in 1, ..., {x.shape[1] - 1}; got {num_latents}.")
        mean = x.mean(0)
        values, vectors = torch.linalg.eigh((x - mean).mT @ (x - mean) / len(x))
        values, vectors = values.flip(-1), vectors.flip(-1)
        variance = values[num_latents:].mean() if noise_variance is None else values.new_tensor(noise_variance)
        if not bool(variance > 0):
            raise ValueError(f"`x` leaves no variance beyond {num_latents} latents; give a positive `noise_variance`.")
        loadings = vectors[:, :num_latents] * (values[:num_latents] - variance).clamp(min=0).sqrt()
        return cls(mean, loadings if rotation is None else loadings @ rotation, variance)

    # ---------------------------------------------------------------------------------------------------------------------- law

    @constraints.dependent_property(is_discrete=False, event_dim=1)
    def support(self) -> Constraint:
        """All real vectors."""
        return constraints.real_vector

    @property
    def mean(self) -> Tensor:
        r"""The mean :math:`\mu`."""
        return self._mean.expand(*self.batch_shape, -1)

    @property
    def variance(self) -> Tensor:
        r"""The diagonal of the covariance."""
        return (self.loadings.square().sum(-1) + self.noise_variance).expand(*self.batch_shape, -1)

    @property
    def covariance_matrix(self) -> Tensor:
        r"""The covariance :math:`W W^\top + \sigma^2 I`, shape ``[d, d]``."""
        identity = torch.eye(self.loadings.shape[0], dtype=self.loadings.dtype, device=self.loadings.device)
        return self.loadings @ self.loadings.mT + self.noise_variance * identity

    @property
    def num_latents(self) -> int:
        """The number q of latents."""
        return self.loadings.shape[1]

    @property
    def num_active(self) -> Tensor:
        """How many directions of the latent space reach the data: the rank of the loadings.

        At the optimum for a fixed noise variance it is the number of eigenvalues of the data's covariance that exceed it, or q
        if they are more.
        """
        return cast(Tensor, torch.linalg.matrix_rank(self.loadings))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        return self._expanded(batch_shape, _instance)

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw data ``[*sample_shape, *batch, d]``."""
        batch = (*sample_shape, *self.batch_shape)
        z = torch.randn(*batch, self.num_latents, dtype=self.loadings.dtype, device=self.loadings.device)
        noise = torch.randn(*batch, *self.event_shape, dtype=self.loadings.dtype, device=self.loadings.device)
        return self._decoded_mean(z) + self.noise_variance.sqrt() * noise

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Log-density in nats, ``[*sample, *batch]``, by factors of the q by q matrix M, never one of d by d.

        .. math:: \log p(x) = -\tfrac12 \Bigl[ d \log 2\pi + (d - q) \log \sigma^2 + \log \det M
            + \frac{|x - \mu - W m|^2}{\sigma^2} + |m|^2 \Bigr], \qquad m = M^{-1} W^\top (x - \mu),

        where nothing large is subtracted from something large when the noise is small.

        Args:
            value: Data ``[*sample, *batch, d]``.
        """
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        d, q = self.loadings.shape
        factor = self._factor()
        mean = self._posterior_mean(value, factor)
        square = (value - self._decoded_mean(mean)).square().sum(-1) / self.noise_variance + mean.square().sum(-1)
        log_det = 2 * factor.diagonal().log().sum() + (d - q) * self.noise_variance.log()
        log_prob = -0.5 * (d * math.log(2 * math.pi) + log_det + square)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    # ------------------------------------------------------------------------------------------------------------------ latents

    def posterior(self, x: Tensor) -> TorchDistribution:
        r"""The exact posterior :math:`p(z \mid x)`, a multivariate normal law, for data ``[*batch, d]``."""
        factor = self._factor()
        precision_factor = factor / self.noise_variance.sqrt()
        return cast(
            TorchDistribution,
            dist.MultivariateNormal(
                self._posterior_mean(x, factor),
                precision_matrix=precision_factor @ precision_factor.mT,
                validate_args=checked(x),
            ),
        )

    def mean_field_posterior(self, x: Tensor) -> TorchDistribution:
        r"""The best approximation with independent latents, :math:`\mathcal N(m, \operatorname{diag}(\sigma^2 / M_{jj}))`."""
        std = (self.noise_variance / self._precision().diagonal()).sqrt()
        mean = self._posterior_mean(x, self._factor())
        return normal_over_event(mean, std.expand_as(mean), 1)

    def decode(self, z: Tensor) -> TorchDistribution:
        r"""The law :math:`p(x \mid z)` for latents ``[*batch, q]``."""
        mean = self._decoded_mean(z)
        return normal_over_event(mean, self.noise_variance.sqrt().expand_as(mean), 1)

    def latent_variable(self, *, mean_field: bool = False) -> LatentVariable:
        """The same law as a latent-variable model, whose bounds and estimates can be compared with what is exact here.

        Args:
            mean_field: Whether its encoder is the best one with independent latents, instead of the exact posterior.
        """
        encoder = self.mean_field_posterior if mean_field else self.posterior
        return LatentVariable(
            standard_normal(self.num_latents).like(self.loadings), self.decode, encoder, event_shape=self.event_shape
        )

    def elbo(self, x: Tensor, *, mean_field: bool = False) -> Tensor:
        r"""The evidence lower bound in closed form, ``[*batch]``, in nats: the log-density less :meth:`gap`.

        .. math:: \mathbb E_q \log p(x \mid z) = \log \mathcal N(x; \mu + W m, \sigma^2 I)
            - \frac{\operatorname{tr}(W^\top W C)}{2 \sigma^2} \qquad\text{for } q = \mathcal N(m, C)

        Args:
            x: Data ``[*batch, d]``.
            mean_field: With the best independent latents, instead of the exact posterior.
        """
        q = self.mean_field_posterior(x) if mean_field else self.posterior(x)
        gram = self.loadings.mT @ self.loadings
        spread = (q.variance * gram.diagonal()).sum(-1) if mean_field else (q.covariance_matrix * gram).sum((-2, -1))
        likelihood = scored(self.decode(q.mean), x) - spread / (2 * self.noise_variance)
        return likelihood - torch.distributions.kl_divergence(q, standard_normal(self.num_latents))

    def gap(self) -> Tensor:
        r"""What the best independent latents lose, the same for every datum, in nats.

        .. math:: \tfrac12 \Bigl(\sum_j \log M_{jj} - \log \det M\Bigr) \ge 0

        It vanishes where the columns of W are orthogonal.
        """
        return 0.5 * self._precision().diagonal().log().sum() - self._factor().diagonal().log().sum()

    def _precision(self) -> Tensor:
        """The matrix M, which is the posterior's precision in units of the noise's."""
        identity = torch.eye(self.num_latents, dtype=self.loadings.dtype, device=self.loadings.device)
        return self.loadings.mT @ self.loadings + self.noise_variance * identity

    def _factor(self) -> Tensor:
        return cast(Tensor, torch.linalg.cholesky(self._precision()))

    def _posterior_mean(self, x: Tensor, factor: Tensor) -> Tensor:
        self._check_shape(x)
        return torch.cholesky_solve(((x - self._mean) @ self.loadings).unsqueeze(-1), factor).squeeze(-1)

    def _decoded_mean(self, z: Tensor) -> Tensor:
        return self._mean + z @ self.loadings.mT

    def __repr__(self) -> str:
        return f"{type(self).__name__}(d={self.loadings.shape[0]}, q={self.num_latents}, batch_shape={tuple(self.batch_shape)})"
