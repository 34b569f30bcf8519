r"""Latent diffusion: a chain as the prior of a latent-variable model.

An encoder gives :math:`q(z \mid x)`, a decoder :math:`p(x \mid z)`, and the prior of z is what a diffusion model makes of
noise. With *standardized* latents :math:`u = (z - m)/s`, the unit in which the chain works,

.. math::

    \log p(x) \ge \mathbb E_{q(u \mid x)} \Bigl[ \log p(x \mid m + s u) - \log q(u \mid x)
    + \underbrace{\mathbb E_{q(u_{1:N} \mid u)} \log \frac{p(u, u_{1:N})}{q(u_{1:N} \mid u)}}_{\le\; \log p(u)} \Bigr],

one bound for all three networks: end to end, or in two stages (an autoencoder with a weak prior, then the chain on frozen
latents). Shift and scale are buffers, measured once. See the page "Latent diffusion"
(``docs/derivations/latent-diffusion.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.diffusion.latent_law import LatentDiffusionLaw
from probgen.diffusion.latent_losses import AutoencoderLoss, LatentDenoisingLoss, LatentDiffusionLoss, modules_among
from probgen.diffusion.model import Diffusion
from probgen.distributions import TransformedDistribution
from probgen.distributions.bijectors import Affine
from probgen.distributions.chains import WithoutDivergence
from probgen.infer.evaluation_mode import evaluating

__all__ = ["LatentDiffusion"]


class LatentDiffusion(nn.Module):
    r"""A latent-variable model whose prior is a diffusion model.

    Attributes:
        shift: The number m that is subtracted from latents.
        scale: The number s by which they are divided.

    Args:
        encoder: A module from data ``[n, *event]`` to the law :math:`q(z \mid x)` over latents, reparameterized.
        decoder: A module from latents ``[n, *latent]`` to the law :math:`p(x \mid z)` over data.
        diffusion: The model of the standardized latents; its ``event_shape`` is that of a latent.
        event_shape: Shape of one datum.

    References:
        Vahdat, Kreis, Kautz (2021). Score-based generative modeling in latent space. https://arxiv.org/abs/2106.05931
        Rombach, Blattmann, Lorenz, Esser, Ommer (2022). High-resolution image synthesis with latent diffusion models.
        https://arxiv.org/abs/2112.10752

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> import probgen as pg
        >>> class Linear(torch.nn.Module):
        ...     def __init__(self, inputs, outputs):
        ...         super().__init__()
        ...         self.linear = torch.nn.Linear(inputs, outputs)
        ...
        ...     def forward(self, x):
        ...         return dist.Normal(self.linear(x), 0.1).to_event(1)
        >>> prior = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2), pg.diffusion.cosine_schedule(), (2,), grid=10)
        >>> model = pg.diffusion.LatentDiffusion(Linear(8, 2), Linear(2, 8), prior, event_shape=(8,))
        >>> x = torch.randn(5, 8)
        >>> model.bound(x).shape, model.distribution().sample((3,)).shape
        (torch.Size([5]), torch.Size([3, 8]))
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        encoder: Callable[[Tensor], TorchDistribution],
        decoder: Callable[[Tensor], TorchDistribution],
        diffusion: Diffusion,
        event_shape: Sequence[int],
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder
        self.diffusion = diffusion
        self.event_shape = tuple(event_shape)
        self.register_buffer("shift", torch.zeros(()))
        self.register_buffer("scale", torch.ones(()))

    # ------------------------------------------------------------------------------------------------------- encoder, decoder

    def encode(self, x: Tensor) -> TorchDistribution:
        r"""The law :math:`q(u \mid x)` of the standardized latents of data ``[n, *event]``."""
        return TransformedDistribution(self.encoder(x), Affine(-self.shift / self.scale, 1 / self.scale))

    def decode(self, u: Tensor) -> TorchDistribution:
        r"""The law :math:`p(x \mid m + s u)` of the data for standardized latents ``[n, *latent]``."""
        return self.decoder(self.shift + self.scale * u)

    def standardize(self, x: Tensor) -> None:
        """Measure shift and scale on data ``[n, *event]``, so that latents have mean 0 and variance 1 over all.

        The encoder is used in evaluation mode, as in the second stage.

        Call it between the two stages; end to end it only sets where training begins.

        Raises:
            ValueError: the latents of the data do not vary.
        """
        with torch.no_grad(), evaluating(*modules_among(self.encoder)):
            z = self.encoder(x).sample()
        scale = z.std()
        if not bool(scale > 0):
            raise ValueError("`x` must have latents that vary; their standard deviation is zero.")
        self.shift.copy_(z.mean())
        self.scale.copy_(scale)

    # ------------------------------------------------------------------------------------------------------------------- bounds

    def bound(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """An unbiased, differentiable estimate of the bound in nats, ``[n]``: one latent and one step for each datum.

        Args:
            x: Data ``[n, *event]``.
            context: Shape ``[n, *context_shape]``, if the network of the chain takes one.
        """
        law = self.encode(x)
        u = law.rsample()
        prior = self.diffusion.distribution(context=context).bound(u)
        return self.decode(u).log_prob(x) - law.log_prob(u) + prior

    def loss(self) -> LatentDiffusionLoss:
        """The objective that trains all three networks end to end, for ``infer.fit``."""
        return LatentDiffusionLoss(self)

    def autoencoder_loss(self, kl_weight: float = 1e-3) -> AutoencoderLoss:
        """The objective of the first stage: encoder and decoder with a weak standard normal prior.

        Args:
            kl_weight: Weight of the divergence from that prior.
        """
        return AutoencoderLoss(self, kl_weight)

    def denoising_loss(self, weighting: str = "simple") -> LatentDenoisingLoss:
        """The objective of the second stage: the chain on frozen standardized latents.

        Args:
            weighting: See ``Diffusion.denoising_loss``.
        """
        return LatentDenoisingLoss(self, weighting)

    def distribution(self, context: Tensor | None = None) -> LatentDiffusionLaw:
        """The law of the data as a distribution.

        Args:
            context: Shape ``[*batch, *context_shape]``, if the network of the chain takes one.
        """
        return LatentDiffusionLaw(self, context)

    # ----------------------------------------------------------------------------------------------------------------- programs

    def model(self, x: Tensor | None = None, context: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The Pyro model: sites "u_N", ..., "u_1", "u_0" of the chain of latents, then the data "x", in a plate "data".

        Args:
            x: Data ``[size, *event]`` to condition on; None to generate.
            context: Shape ``[size, *context_shape]``, if the network takes one.
            size: Size of the plate, where no data are given; by default that of the context's batch, or 1.

        Raises:
            ValueError: the plate is empty.
        """
        chain = self.diffusion.chain(context)
        count = chain.plate_size(None, size) if x is None else len(x)
        last = len(self.diffusion.grid)
        with pyro.plate("data", count, dim=-1):
            u: Tensor = pyro.sample(f"u_{last}", self._noise((count,)))
            for index in range(last, 0, -1):
                u = pyro.sample(f"u_{index - 1}", chain.kernel(u, index))
            data: Tensor = pyro.sample("x", self.decode(u), obs=x)
        return data

    def guide(self, x: Tensor, context: Tensor | None = None, *, size: int | None = None) -> None:
        """The guide: the encoder draws the latent, the forward process its noisy states.

        ``Trace_ELBO`` takes it. The latent is drawn first and scored last, so its divergence from the model's site would be no
        term of the bound, and asking for it raises.

        Args:
            x: Data ``[size, *event]``.
            context: Unused; as in :meth:`model`.
            size: Unused; as in :meth:`model`.
        """
        process, times = self.diffusion.process, self.diffusion.grid.times.tolist()
        last = len(times) - 1
        with pyro.plate("data", len(x), dim=-1):
            u_0: Tensor = pyro.sample("u_0", WithoutDivergence(self.encode(x)))
            u: Tensor = pyro.sample(f"u_{last}", process.marginal(u_0, times[last]))
            for index in range(last, 1, -1):
                u = pyro.sample(f"u_{index - 1}", process.posterior(u, u_0, times[index - 1], times[index]))

    def _noise(self, shape: Sequence[int]) -> TorchDistribution:
        prior = self.diffusion.prior
        like = getattr(prior, "like", None)
        return (prior if like is None else like(self.shift)).expand(torch.Size(shape))
