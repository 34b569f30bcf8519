r"""Is this datum like the others? Three scores of a latent-variable model, and what they miss.

* *Likelihood*: :math:`-\log p(x)`, estimated by importance sampling: the nats that the model needs for x.
* *Reconstruction*: :math:`-\log p(x \mid \bar z)` at the mean code :math:`\bar z`: how badly x is rebuilt. It does not ask
  whether the code is a usual one.
* *Divergence*: :math:`\mathrm{KL}(q(z \mid x) \,\|\, p(z))`: how unusual the code is.

Low density is not the same as being unusual: almost all draws of a law in many dimensions have about the same density, *less*
than at its mode. A simple input, such as an empty image, can therefore score better than every draw of the model. *Typicality*,
the distance of the score from that of usual data, sees what is too likely, too.

References:
    Nalisnick, Matsukawa, Teh, Gorur, Lakshminarayanan (2019). Do deep generative models know what they don't know?
    https://arxiv.org/abs/1810.09136
    Nalisnick, Matsukawa, Teh, Lakshminarayanan (2019). Detecting out-of-distribution inputs to deep generative models using
    typicality. https://arxiv.org/abs/1906.02994
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions._seeding import random_stream
from probgen.distributions.events import drawn, scored
from probgen.distributions.latent import divergence_at
from probgen.infer.evaluation_mode import evaluating

if TYPE_CHECKING:
    from probgen.vae.model import VAE

__all__ = ["OutlierScores", "outlier_scores"]


@dataclass(frozen=True)
class OutlierScores:
    """Scores of data in nats; the higher, the more unusual.

    Attributes:
        likelihood: The estimate of -log p(x), ``[n]``.
        reconstruction: The value -log p(x | z) at the mean code, ``[n]``.
        divergence: KL(q(z | x) || p(z)), ``[n]``.

    Example:
        >>> import torch
        >>> from probgen.vae.latent_space import OutlierScores
        >>> usual = OutlierScores(torch.tensor([9.0, 10.0, 12.0]), torch.zeros(3), torch.zeros(3))
        >>> OutlierScores(torch.tensor([2.0, 10.0]), torch.zeros(2), torch.zeros(2)).typicality(usual)
        tensor([8., 0.])
    """

    likelihood: Tensor
    reconstruction: Tensor
    divergence: Tensor

    def typicality(self, usual: OutlierScores) -> Tensor:
        """The distance of the likelihood score from the median score of usual data, ``[n]``.

        Args:
            usual: Scores of data that are as they should be, say of a validation set.
        """
        return (self.likelihood - usual.likelihood.median()).abs()


def outlier_scores(vae: VAE, x: Tensor, context: Tensor | None = None, *, num_draws: int = 64, seed: int = 0) -> OutlierScores:
    """Score data by likelihood, reconstruction and divergence; in evaluation mode and without gradients.

    Args:
        vae: The model.
        x: Data ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the model takes one.
        num_draws: Draws of the latents for the likelihood of a datum, and for its divergence where that has no closed form.
        seed: Of these draws.

    Returns:
        Three scores of every datum.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.elements import NetworkLaw, NormalElement
        >>> law = lambda n, m: NetworkLaw(pg.nn.MLP(n, 2 * m), NormalElement(), event_shape=(m,), input_shape=(n,))
        >>> vae = pg.vae.VAE(standard_normal(2), law(2, 3), law(3, 2))
        >>> pg.vae.latent_space.outlier_scores(vae, torch.zeros(5, 3)).likelihood.shape
        torch.Size([5])
    """
    with evaluating(vae), torch.no_grad(), random_stream(seed, x.device):
        posterior = vae.encode(x, context)
        z = drawn(posterior, (num_draws,))
        divergence = divergence_at(posterior, vae.latent_law(context), z).expand(num_draws, *posterior.batch_shape).mean(0)
        reconstruction = -scored(vae.decode(posterior.mean, context), x)
        estimate = vae.distribution(context).log_prob_estimate(x, num_draws)
        return OutlierScores(-estimate.value, reconstruction, divergence)
