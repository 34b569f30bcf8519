r"""Top-down inference: the posterior goes through the levels in the order of the model and shares its pass.

A deterministic pass from the data up gives features, :math:`d_l = e_l(d_{l-1})` with :math:`d_0 = x`. Then, from the top down,

.. math::

    z_L \sim q(z_L \mid d_L), \quad \dots, \quad z_l \sim q(z_l \mid h_l, d_l), \qquad h_{l-1} = u_l(h_l, z_l),

with the states :math:`h_l` and updates :math:`u_l` of the model itself. Each posterior is made of the prior at the same state
and of what the data say, by one of three rules (:mod:`probgen.vae.posterior_rule`). Because posterior and model draw in the
same order, the divergence of every level may be taken in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyro
import torch
from torch import Tensor, nn

from probgen.distributions.elements import NetworkLaw
from probgen.distributions.events import batch_of, one_batch_dim
from probgen.infer.data_plate import data_plate
from probgen.vae.hierarchical import HierarchicalVAE
from probgen.vae.hierarchical_law import Inference, LevelDraw
from probgen.vae.level import Level
from probgen.vae.posterior_rule import PosteriorRule, require_rule

__all__ = ["TopDownVAE"]


class TopDownVAE(HierarchicalVAE):
    r"""A hierarchical variational autoencoder with top-down inference.

    With the rule "precision-weighted" and levels without update it is the ladder variational autoencoder, with "residual" and
    convolutional blocks of several resolutions it has the form of NVAE, with "direct" that of the very deep VAE.

    Attributes:
        levels: From the data up.
        encoder: Blocks of the pass from the data up.
        decoder: From the last state to the law of the data.
        posterior: The rule.

    Args:
        levels: The levels, from the data up, each with a ``correction``.
        decoder: From the state below the first level to the law of the data.
        encoder: One block a level, from the data up: the first maps ``[N, *event]``, each further one the output of the one
            before, to the features of its level.
        posterior: "residual", "direct" or "precision-weighted".

    Raises:
        ValueError: the numbers of levels and blocks differ, a level has no correction, or the rule is unknown.

    References:
        Sønderby, Raiko, Maaløe, Sønderby, Winther (2016). Ladder variational autoencoders. https://arxiv.org/abs/1602.02282
        Vahdat, Kautz (2020). NVAE: a deep hierarchical variational autoencoder. https://arxiv.org/abs/2007.03898
        Child (2021). Very deep VAEs generalize autoregressive models. https://arxiv.org/abs/2011.10650

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> vae = pg.vae.top_down_vae((64,), (8, 2), BernoulliElement(), hidden=16)
        >>> p, x = vae.distribution(), torch.zeros(5, 64)
        >>> p.elbo(x).shape, {name: kl.shape for name, kl in p.divergences(x).items()}
        (torch.Size([5]), {'z_2': torch.Size([5]), 'z_1': torch.Size([5])})
        >>> vae.loss(pg.infer.ELBO())(x).shape
        torch.Size([])
    """

    def __init__(
        self,
        levels: Sequence[Level],
        decoder: NetworkLaw,
        encoder: Sequence[nn.Module],
        *,
        posterior: PosteriorRule = "residual",
    ) -> None:
        super().__init__(levels, decoder)
        require_rule(posterior)
        if len(encoder) != len(levels):
            raise ValueError(f"`encoder` must hold one block a level, {len(levels)}; got {len(encoder)}.")
        bare = [name for name, level in self.descending() if level.correction is None]
        if bare:
            raise ValueError(f"every level needs a `correction`; {bare} have none.")
        self.encoder = nn.ModuleList(encoder)
        self.posterior: PosteriorRule = posterior

    def features(self, x: Tensor) -> dict[str, Tensor]:
        """What the pass from the data up gives every level.

        Args:
            x: Data ``[*batch, *event]``.

        Returns:
            Site name to features ``[*batch, *features]``.

        Raises:
            ValueError: the data have another shape.
        """
        batch = batch_of(f"the data of {type(self).__name__}", x, self.event_shape)
        d = one_batch_dim(x, batch, self.event_shape)
        found = {}
        for name, block in zip(self.site_names, self.encoder, strict=True):
            d = block(d)
            found[name] = d if len(batch) == 1 else d.reshape(*batch, *d.shape[1:])
        return found

    def infer(self, x: Tensor, num_draws: int | None = None) -> Inference:
        """Draw all latents given data in one pass, with the posterior and the prior of every level at the draws.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws n for each datum, in a dimension to the left; None: one, without that dimension.
        """
        features, draws = self.features(x), {}
        state, sample_shape = self.initial, torch.Size(() if num_draws is None else (num_draws,))
        for name, level in self.descending():
            prior = level.prior_law(state)
            posterior = level.posterior_law(self.posterior, prior, state, features[name])
            z = posterior.rsample(sample_shape)
            draws[name] = LevelDraw(z, posterior, prior, integrable=True)
            state = level.next_state(state, z)
            sample_shape = torch.Size()  # further levels are drawn for each draw of the top
        return Inference(draws, state)

    def guide(self, x: Tensor, *, size: int | None = None) -> dict[str, Tensor]:
        """The Pyro guide: sites "z_L", ..., "z_1" in a plate "data", in the order of the model.

        Args:
            x: Data ``[n, *event]``.
            size: As in :meth:`model`.
        """
        features, latents, state, last = self.features(x), {}, self.initial, self.site_names[0]
        with data_plate(x, size, self.initial):
            for name, level in self.descending():
                latents[name] = pyro.sample(name, level.posterior_law(self.posterior, None, state, features[name]))
                if name != last:
                    state = level.next_state(state, latents[name])
        return latents
