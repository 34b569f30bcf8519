r"""The law of the data in a model with latent variables: the marginal of a joint law.

.. math::

    p(x) = \int p(x \mid z)\, p(z)\, \mathrm dz, \qquad
    w(z) = \frac{p(x \mid z)\, p(z)}{q(z \mid x)}, \qquad \mathbb E_{q(z \mid x)}[w(z)] = p(x).

The integral has no closed form, but every *importance weight* w of a draw from an approximate posterior q is an unbiased
estimate of it, so that by Jensen's inequality, for any number n of draws,

.. math::

    \underbrace{\mathbb E_q \log w(z)}_{\mathrm{ELBO}(x)}
    \;\le\; \underbrace{\mathbb E_q \log \tfrac1n \textstyle\sum_{i=1}^n w(z_i)}_{\mathrm{IWAE}_n(x)} \;\le\; \log p(x).

The class here derives bounds and estimates from the terms of the weight; how latents are arranged (one vector, a hierarchy, a
chain) is the subclass's business. See the page "The evidence lower bound" (``docs/derivations/vae-elbo.md``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind, log_mean_exp_estimate

__all__ = ["LatentTerms", "MarginalDistribution", "passes"]


class LatentTerms(NamedTuple):
    """The terms of the bound for draws of the latents, in nats.

    Attributes:
        log_likelihood: Reconstruction term log p(x | z), ``[n, *batch]``.
        divergences: For every group of latents log q - log p at the draw, ``[n, *batch]``; or its expectation given the groups
            drawn before it, where asked for and known in closed form (then also ``[*batch]``).

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import LatentTerms
        >>> LatentTerms(torch.tensor([[-3.0], [-5.0]]), (torch.tensor([0.5]),)).total().mean(0)
        tensor([-4.5000])
    """

    log_likelihood: Tensor
    divergences: tuple[Tensor, ...]

    def total(self) -> Tensor:
        """Reconstruction less divergences, ``[n, *batch]``: log-weights, if the divergences are at the draws."""
        total = self.log_likelihood
        for divergence in self.divergences:
            total = total - divergence
        return total


class MarginalDistribution(Distribution):
    r"""The marginal law :math:`p(x)` of a model with latent variables and an approximate posterior (abstract).

    A subclass writes ``sample``, ``support``, ``expand`` and ``_terms``; with ``sample_joint``, ``log_prior`` and
    ``log_joint`` it can also be annealed (see :func:`~probgen.distributions.latent.sandwich`).

    Attributes:
        allow_estimate: Let ``log_prob`` return the evidence lower bound from one draw, fresh at every call, as one does at a
            training site of a larger model.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.latent import LatentVariable, MarginalDistribution
        >>> p = LatentVariable(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(x / 2, 0.5**0.5))
        >>> isinstance(p, MarginalDistribution), p.log_prob_estimate(torch.tensor(1.0), 2)  # the posterior is exact
        (True, Estimate(>= -1.5155 ± 0.0000 nats))
    """

    log_prob_kind: LogProbKind = "lower"
    allow_estimate: bool = False

    def _terms(self, x: Tensor, num_draws: int, *, closed_form: bool) -> LatentTerms:
        """The terms of the bound for ``num_draws`` reparameterized draws of the latents of data ``[*batch, *event]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `_terms`.")

    # ------------------------------------------------------------------------------------------------------------------- bounds

    def elbo(self, x: Tensor, num_draws: int = 1, *, closed_form: bool = True) -> Tensor:
        r"""An unbiased, differentiable estimate of the evidence lower bound of every datum, ``[*batch]``, in nats.

        .. math:: \mathrm{ELBO}(x) = \mathbb E_{q(z \mid x)}[\log p(x \mid z)] - \mathrm{KL}(q(z \mid x) \,\|\, p(z))

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws of the latents that are averaged.
            closed_form: Use closed-form divergences where they are known.

        Raises:
            ValueError: ``num_draws`` is not positive, or ``x`` has another event shape.
        """
        return self._checked_terms(x, num_draws, closed_form=closed_form).total().mean(0)

    def iwae(self, x: Tensor, num_draws: int) -> Tensor:
        r"""An unbiased, differentiable estimate of the importance-weighted bound of every datum, ``[*batch]``, in nats.

        .. math:: \mathrm{IWAE}_n(x) = \mathbb E \log \tfrac1n \sum_{i=1}^n w(z_i)

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Number n of draws.

        Raises:
            ValueError: ``num_draws`` is not positive, or ``x`` has another event shape.

        References:
            Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519
        """
        return torch.logsumexp(self.log_weights(x, num_draws), 0) - math.log(num_draws)

    def log_weights(self, x: Tensor, num_draws: int) -> Tensor:
        r"""Logarithms of importance weights, :math:`\log p(x \mid z) + \log p(z) - \log q(z \mid x)`, ``[n, *batch]``.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Number n of draws.

        Raises:
            ValueError: ``num_draws`` is not positive, or ``x`` has another event shape.
        """
        return self._checked_terms(x, num_draws, closed_form=False).total()

    def log_prob(self, value: Tensor) -> Tensor:
        """The evidence lower bound from one draw, ``[*batch]`` in nats, if the object allows estimates.

        Args:
            value: Data ``[*sample, *batch, *event]``.

        Raises:
            DensityUnavailable: ``allow_estimate`` is False.
        """
        if not self.allow_estimate:
            raise DensityUnavailable(
                type(self).__name__,
                "the density is an integral over the latents",
                "`.log_prob_estimate(x, n)` to evaluate, `.elbo(x)` or `.iwae(x, n)` to train, or `.with_estimates()` at a "
                "training site",
            )
        return self.elbo(value)

    def with_estimates(self) -> Self:
        """The same law, sharing everything, whose ``log_prob`` is the evidence lower bound from one draw.

        Example:
            >>> import torch
            >>> import pyro.distributions as dist
            >>> from probgen.distributions import LatentVariable, standard_normal
            >>> p = LatentVariable(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(x / 2, 0.5**0.5))
            >>> p.with_estimates().log_prob(torch.zeros(3)).shape
            torch.Size([3])
        """
        new = self._expanded(self.batch_shape)
        new.allow_estimate = True
        return new

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1, *, draws_at_once: int = 64) -> Estimate:
        """Estimate the log-density from below by importance weights; without gradients.

        Args:
            value: Data ``[*sample, *batch, *event]``.
            num_draws: Draws of the latents for each datum.
            draws_at_once: How many of them are evaluated in one pass, which bounds the memory.

        Raises:
            ValueError: a number of draws is not positive, or ``value`` has another event shape.

        Example:
            >>> import torch
            >>> import pyro.distributions as dist
            >>> from probgen.distributions import LatentVariable, standard_normal
            >>> p = LatentVariable(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(0.3 * x, 0.9))
            >>> _ = torch.manual_seed(0)
            >>> estimate = p.log_prob_estimate(torch.tensor(1.0), 20000)  # exactly -1.5155
            >>> round(estimate.value.item(), 2), estimate.kind
            (-1.52, 'lower')
        """
        for name, count in (("num_draws", num_draws), ("draws_at_once", draws_at_once)):
            if count < 1:
                raise ValueError(f"`{name}` must be at least 1; got {count}.")
        with torch.no_grad():
            weights = [self.log_weights(value, count) for count in passes(num_draws, draws_at_once)]
            return log_mean_exp_estimate(torch.cat(weights))

    def _checked_terms(self, x: Tensor, num_draws: int, *, closed_form: bool) -> LatentTerms:
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        return self._terms(x.expand((*self._batch_of(x), *self.event_shape)), num_draws, closed_form=closed_form)

    def _batch_of(self, x: Tensor) -> torch.Size:
        """The batch of data ``[*batch, *event]`` together with that of the law."""
        self._check_shape(x)
        return torch.Size(torch.broadcast_shapes(x.shape[: x.dim() - len(self.event_shape)], self.batch_shape))

    # ------------------------------------------------------------------------------------------------------------------- draws

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw data ``[*sample_shape, *batch, *event]`` without gradients."""
        raise NotImplementedError(f"{type(self).__name__} does not define `sample`.")

    def sample_joint(self, sample_shape: Sequence[int] = torch.Size()) -> dict[str, Tensor]:
        """Draw latents and the data that they make, without gradients: given those data, exact draws of the posterior.

        Args:
            sample_shape: Shape of the draws.

        Returns:
            Name to draws ``[*sample_shape, *batch, *latent]`` for every group of latents, in the order in which they are drawn,
            and the data ``[*sample_shape, *batch, *event]`` as "x".
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `sample_joint`.")

    def log_prior(self, latents: Mapping[str, Tensor]) -> Tensor:
        """The log-density log p(z) of all latents, ``[*sample, *batch]``, in nats.

        Args:
            latents: Name to ``[*sample, *batch, *latent]``, for every group of latents.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `log_prior`.")

    def log_joint(self, x: Tensor, latents: Mapping[str, Tensor]) -> Tensor:
        """The exact joint log-density log p(x, z), ``[*sample, *batch]``, in nats.

        Args:
            x: Data ``[*batch, *event]``.
            latents: Name to ``[*sample, *batch, *latent]``, for every group of latents.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `log_joint`.")

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        """The same law with another batch shape."""
        raise NotImplementedError(f"{type(self).__name__} does not define `expand`.")


def passes(num_draws: int, at_once: int) -> list[int]:
    """How many draws each pass takes if no pass may take more than ``at_once``.

    Args:
        num_draws: Draws in all.
        at_once: Most draws a pass.

    Example:
        >>> from probgen.distributions.latent.marginal import passes
        >>> passes(150, 64)
        [64, 64, 22]
    """
    full, rest = divmod(num_draws, at_once)
    return [at_once] * full + [rest] * (rest > 0)
