r"""A Markov chain of latents with inference from the data up.

.. math::

    p(x, z_{1:L}) = p(x \mid z_1)\, p(z_1 \mid z_2) \cdots p(z_{L-1} \mid z_L)\, p(z_L), \qquad
    q(z_{1:L} \mid x) = q(z_1 \mid x)\, q(z_2 \mid z_1) \cdots q(z_L \mid z_{L-1}) .

Posterior and model meet in opposite orders: :math:`p(z_l \mid z_{l+1})` depends on a latent that the posterior draws *after*
:math:`z_l`, so of the divergences only that of the top may be taken in closed form; the others are estimated by the draw.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyro
import torch
from torch import Tensor, nn

from probgen.distributions.elements import NetworkLaw
from probgen.infer.data_plate import data_plate
from probgen.vae.hierarchical import HierarchicalVAE
from probgen.vae.hierarchical_law import Inference, LevelDraw
from probgen.vae.level import Level

__all__ = ["ChainVAE"]


class ChainVAE(HierarchicalVAE):
    r"""A variational autoencoder whose latents are a Markov chain in both directions.

    Args:
        priors: The laws :math:`p(z_l \mid z_{l+1})`, from the data up; the top is standard normal.
        decoder: The law :math:`p(x \mid z_1)`.
        encoders: The laws :math:`q(z_1 \mid x), q(z_2 \mid z_1), \dots`, from the data up, one more than priors.

    Raises:
        ValueError: the numbers of laws do not fit, or the shapes of the laws of a level differ.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> vae = pg.vae.chain_vae((64,), (8, 2), BernoulliElement(), hidden=(16, 8))
        >>> vae.distribution().iwae(torch.zeros(5, 64), 3).shape
        torch.Size([5])
    """

    def __init__(self, priors: Sequence[NetworkLaw], decoder: NetworkLaw, encoders: Sequence[NetworkLaw]) -> None:
        if len(encoders) != len(priors) + 1:
            raise ValueError(f"`encoders` must hold one law more than `priors`, {len(priors) + 1}; got {len(encoders)}.")
        levels = []
        for encoder, prior in zip(encoders, (*priors, None), strict=True):
            levels.append(Level(encoder.event_shape, () if prior is None else prior.input_shape, prior=prior))
        super().__init__(levels, decoder)
        self.encoders = nn.ModuleList(encoders)

    def infer(self, x: Tensor, num_draws: int | None = None) -> Inference:
        """Draw all latents given data from the data up, with the posterior and the prior of every level at the draws.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws n for each datum, in a dimension to the left; None: one, without that dimension.
        """
        draws, below, sample_shape = {}, x, torch.Size(() if num_draws is None else (num_draws,))
        for name, encoder in zip(self.site_names, self.encoders, strict=True):
            posterior = encoder(below)
            below = posterior.rsample(sample_shape)
            draws[name] = posterior, below
            sample_shape = torch.Size()
        state, found = self.initial, {}
        for name, level in self.descending():
            posterior, z = draws[name]
            found[name] = LevelDraw(z, posterior, level.prior_law(state), integrable=name == self.site_names[-1])
            state = level.next_state(state, z)
        return Inference(found, state)

    def guide(self, x: Tensor, *, size: int | None = None) -> dict[str, Tensor]:
        """The Pyro guide: sites "z_1", ..., "z_L" in a plate "data", from the data up.

        Args:
            x: Data ``[n, *event]``.
            size: As in :meth:`model`.
        """
        latents, below = {}, x
        with data_plate(x, size, self.initial):
            for name, encoder in zip(self.site_names, self.encoders, strict=True):
                below = latents[name] = pyro.sample(name, encoder(below))
        return latents
