r"""The objectives of latent diffusion: end to end, and in two stages.

* ``LatentDiffusionLoss``: the negative bound of the whole model; every network gets its gradient.
* ``AutoencoderLoss``: :math:`\mathbb E_q[-\log p(x \mid z)] + w\, \mathrm{KL}(q(z \mid x) \,\|\, \mathcal N(0, I))` for
  encoder and decoder.
* ``LatentDenoisingLoss``: a denoising loss on latents that are drawn from the frozen encoder, for the chain alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from probgen.diffusion.objectives.loss_batches import require_data
from probgen.distributions import standard_normal
from probgen.infer import Objective, Player
from probgen.infer.evaluation_mode import evaluating

if TYPE_CHECKING:
    from probgen.diffusion.latent import LatentDiffusion

__all__ = ["AutoencoderLoss", "LatentDenoisingLoss", "LatentDiffusionLoss", "modules_among"]


class LatentDiffusionLoss(Objective):
    """The negative bound of a latent diffusion model, in nats per datum.

    Args:
        model: The model.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> import probgen as pg
        >>> from probgen.diffusion import LatentDiffusionLoss
        >>> prior = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2), pg.diffusion.cosine_schedule(), (2,), grid=10)
        >>> normal = lambda x: dist.Normal(x, 0.1).to_event(1)
        >>> model = pg.diffusion.LatentDiffusion(normal, normal, prior, event_shape=(2,))
        >>> LatentDiffusionLoss(model)(torch.randn(5, 2)).shape
        torch.Size([])
    """

    def __init__(self, model: LatentDiffusion) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of data ``[n, *event]``.

        Args:
            x: Data.
            context: Shape ``[n, *context_shape]``, if the network of the chain takes one.

        Raises:
            ValueError: an empty batch.
        """
        require_data(x, len(self.model.event_shape))
        return -self.model.bound(x, context).mean()


class AutoencoderLoss(Objective):
    r"""The first stage: encoder and decoder, with a standard normal prior of small weight.

    With weight 1 it is the negative bound of a variational autoencoder.

    Args:
        model: The model; only its encoder and decoder are trained.
        kl_weight: Weight of the divergence from the standard normal law.

    Raises:
        ValueError: a negative weight.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> import probgen as pg
        >>> prior = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2), pg.diffusion.cosine_schedule(), (2,), grid=10)
        >>> normal = lambda x: dist.Normal(x, 1.0).to_event(1)
        >>> model = pg.diffusion.LatentDiffusion(normal, normal, prior, event_shape=(2,))
        >>> model.autoencoder_loss(kl_weight=0.5)(torch.zeros(5, 2)).shape
        torch.Size([])
    """

    def __init__(self, model: LatentDiffusion, kl_weight: float = 1e-3) -> None:
        super().__init__()
        if kl_weight < 0:
            raise ValueError(f"`kl_weight` must be at least 0; got {kl_weight}.")
        self.model = model
        self.kl_weight = kl_weight

    @property
    def players(self) -> Mapping[str, Player]:
        """Encoder and decoder, as one player."""
        parts = modules_among(self.model.encoder, self.model.decoder)
        return {"model": Player(tuple(parameter for part in parts for parameter in part.parameters()))}

    def forward(self, x: Tensor) -> Tensor:
        """The loss of data ``[n, *event]``.

        Raises:
            ValueError: an empty batch.
        """
        require_data(x, len(self.model.event_shape))
        q = self.model.encoder(x)
        z = q.rsample()
        prior = standard_normal(tuple(self.model.diffusion.event_shape)).like(z)
        divergence = q.log_prob(z) - prior.log_prob(z)
        return (self.kl_weight * divergence - self.model.decoder(z).log_prob(x)).mean()


class LatentDenoisingLoss(Objective):
    """The second stage: the chain on standardized latents of a frozen encoder, which is used in evaluation mode.

    Args:
        model: The model; only its chain is trained.
        weighting: See ``Diffusion.denoising_loss``.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> import probgen as pg
        >>> prior = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2), pg.diffusion.cosine_schedule(), (2,), grid=10)
        >>> normal = lambda x: dist.Normal(x, 1.0).to_event(1)
        >>> model = pg.diffusion.LatentDiffusion(normal, normal, prior, event_shape=(2,))
        >>> loss = model.denoising_loss()
        >>> loss(torch.zeros(5, 2)).shape, len(loss.players["model"].parameters) == len(list(prior.parameters()))
        (torch.Size([]), True)
    """

    def __init__(self, model: LatentDiffusion, weighting: str = "simple") -> None:
        super().__init__()
        self.model = model
        self.inner = model.diffusion.denoising_loss(weighting)

    @property
    def players(self) -> Mapping[str, Player]:
        """The chain."""
        return {"model": Player(tuple(self.model.diffusion.parameters()))}

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of data ``[n, *event]``; latents carry no gradient.

        Args:
            x: Data.
            context: Shape ``[n, *context_shape]``, if the network of the chain takes one.

        Raises:
            ValueError: an empty batch.
        """
        require_data(x, len(self.model.event_shape))
        with torch.no_grad(), evaluating(*modules_among(self.model.encoder)):
            u = self.model.encode(x).sample()
        loss: Tensor = self.inner(u, context)
        return loss


def modules_among(*parts: object) -> list[nn.Module]:
    """Those parts of a model that are modules: an encoder may be any function.

    Args:
        parts: Anything.

    Example:
        >>> import torch
        >>> from probgen.diffusion.latent_losses import modules_among
        >>> modules_among(torch.nn.Tanh(), torch.tanh)
        [Tanh()]
    """
    return [part for part in parts if isinstance(part, nn.Module)]
