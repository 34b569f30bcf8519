r"""The exact class-conditional denoiser of a Gaussian mixture whose label is its component: the test-bed of guidance."""

from __future__ import annotations

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains import Denoiser, MixtureDenoiser, NoiseLevel

__all__ = ["LabeledMixture"]


class LabeledMixture(Denoiser):
    r"""Given the label k the data are :math:`\mathcal N(m_k, S_k)`; given the null label K, the whole mixture.

    Args:
        mixture: The mixture of K components.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import LabeledMixture
        >>> from probgen.distributions.chains import MixtureDenoiser, cosine_schedule
        >>> covariances = 0.01 * torch.eye(1).expand(2, 1, 1)
        >>> mixture = MixtureDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor([[-1.0], [1.0]]), covariances)
        >>> LabeledMixture(mixture)(torch.zeros(3, 1), 1.0, torch.tensor([0, 1, 2])).mean.flatten().round(decimals=2)
        tensor([-1.,  1.,  0.])
    """

    context_shape: tuple[int, ...] | None = ()

    def __init__(self, mixture: MixtureDenoiser) -> None:
        super().__init__(mixture.schedule, mixture.event_shape)
        self.mixture = mixture

    @property
    def null_context(self) -> Tensor:
        """The label K."""
        return torch.tensor(len(self.mixture.logits), device=self.mixture.logits.device)

    def predict(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> Tensor:
        """The posterior mean given the label."""
        return self.posterior(x_t, level, context).mean

    def posterior(self, x_t: Tensor, level: NoiseLevel, context: Tensor | None = None) -> TorchDistribution:
        """The posterior mixture, of which a label leaves one component."""
        law = self.mixture.posterior(x_t, level)
        logits: Tensor = law.mixture_distribution.logits
        label = torch.as_tensor(context, device=logits.device).unsqueeze(-1)
        allowed = (label == torch.arange(logits.shape[-1], device=logits.device)) | (label == self.null_context)
        chosen = torch.where(allowed, logits, -torch.inf)
        result: TorchDistribution = dist.MixtureSameFamily(dist.Categorical(logits=chosen), law.component_distribution)
        return result

    def log_classifier(self, x_t: Tensor, log_snr: Tensor, label: Tensor) -> Tensor:
        r"""The exact classifier of noisy data, :math:`\log p_t(k \mid x_t)`, shape ``[*batch]``; for ``ClassifierGuided``.

        Args:
            x_t: Noisy data ``[*batch, D]``.
            log_snr: Log-SNR ``[*batch]``.
            label: Labels in 0 .. K - 1, shape ``[*batch]``.
        """
        level = self.schedule.level(self.schedule.t_of_log_snr(log_snr.detach()))
        logits: Tensor = self.mixture.posterior(x_t, level).mixture_distribution.logits
        return logits.log_softmax(-1).gather(-1, label.unsqueeze(-1)).squeeze(-1)
