r"""The exact posterior of Gaussian-mixture data: the reference of every other method.

.. math:: p(x_0 \mid y) = \sum_k w_k\, \mathcal N(x_0;\, m_k + K_k (y - A m_k),\, S_k - K_k A S_k), \qquad
    w_k \propto \pi_k\, \mathcal N(y;\, A m_k,\, A S_k A^\top + \sigma_y^2 I).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.conditioning.conditional import Conditional
from probgen.diffusion.conditioning.linear_gaussian import Update, update
from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.distributions import Estimate
from probgen.distributions.chains import GaussianChain
from probgen.distributions.estimate import LogProbKind

__all__ = ["ExactConditional"]


class ExactConditional(Conditional):
    r"""The law :math:`p(x_0 \mid y)` for a denoiser that knows the law of its data (``GaussianDenoiser``, ``MixtureDenoiser``).

    Args:
        chain: A chain with such a denoiser; its grid does not matter.
        observation: What was seen.
        validate_args: As in ``torch.distributions``.

    Raises:
        TypeError: the denoiser does not know the law of its data.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import ExactConditional, LinearObservation, Masking
        >>> from probgen.distributions.chains import GaussianChain, MixtureDenoiser, TimeGrid, cosine_schedule
        >>> covariance = torch.tensor([[[1.0, 0.9], [0.9, 1.0]]])
        >>> oracle = MixtureDenoiser(cosine_schedule(), torch.zeros(1), torch.zeros(1, 2), covariance)
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> exact = ExactConditional(GaussianChain(oracle, TimeGrid(1)), seen)
        >>> exact.mean, exact.log_evidence()
        (tensor([1.0000, 0.9000]), Estimate(= -1.4189 nats))
    """

    bias: ClassVar[str] = "exact: closed form for the law of the data"

    def __init__(self, chain: GaussianChain, observation: LinearObservation, *, validate_args: bool | None = None) -> None:
        if not hasattr(chain.denoiser, "data"):
            raise TypeError(
                f"`method='exact'` needs a denoiser that knows the law of its data; {type(chain.denoiser).__name__} does not. "
                'Use "smc".'
            )
        super().__init__(chain, observation, validate_args=validate_args)
        self._mean, self._log_evidence = self._update()[1::-1]

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new._mean, new._log_evidence = new._update()[1::-1]
        return new

    @property
    def data(self) -> TorchDistribution:
        """The law of the data."""
        denoiser: Any = self.chain.denoiser
        return cast(TorchDistribution, denoiser.data)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """Exact, if the observation is noisy; without noise the posterior has no density."""
        return "exact" if self.observation.noise > 0 else "none"

    @property
    def mean(self) -> Tensor:
        r"""The posterior mean :math:`\mathbb E[x_0 \mid y]`, shape ``[*batch, *event]``."""
        return self._mean

    def log_evidence(self) -> Estimate:
        r"""The exact :math:`\log p(y)` in nats, shape ``[*batch]``."""
        value = self._log_evidence
        return Estimate(value, torch.zeros_like(value), "exact")

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        return self._update().draw(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        r"""Bayes' rule, :math:`\log p(x) + \log p(y \mid x) - \log p(y)` in nats, shape ``[*sample, *batch]``.

        Raises:
            DensityUnavailable: the observation is free of noise.
        """
        if self.observation.noise == 0:
            return super().log_prob(value)
        self._check_shape(value)
        if not value.numel():  # torch's `Independent` cannot score an empty batch
            lead = value.shape[: value.dim() - len(self.event_shape)]
            return value.new_zeros(torch.broadcast_shapes(lead, self.batch_shape))
        return self.data.log_prob(value) + self.observation.log_likelihood(value) - self._log_evidence

    def _update(self) -> Update:
        seen = self.observation
        value = seen.value.expand((*self.batch_shape, *seen.operator.observed_shape))
        return update(self.data, LinearObservation(value, seen.operator, seen.noise))
