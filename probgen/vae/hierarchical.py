r"""Variational autoencoders with several levels of latents: what all of them share.

.. math::

    p(x, z_{1:L}) = p(x \mid z_{1:L}) \prod_{l=L}^{1} p(z_l \mid z_{>l}),

drawn from the top, :math:`z_L`, down to :math:`z_1` and the data. How the posterior goes through the levels is the subclass's
business: from the top down as the model does (:class:`~probgen.vae.top_down.TopDownVAE`), or from the data up
(:class:`~probgen.vae.chain.ChainVAE`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import pyro
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.elements import NetworkLaw
from probgen.infer import ELBO, Objective
from probgen.infer.data_plate import data_plate
from probgen.vae.hierarchical_law import HierarchicalLaw, Inference
from probgen.vae.level import Level

__all__ = ["HierarchicalVAE"]


class HierarchicalVAE(nn.Module):
    """A variational autoencoder with levels of latents (abstract).

    A subclass writes ``guide`` and ``infer``. Sites are named "z_1" (next to the data) to "z_L" (the top), and "x".

    Args:
        levels: The levels, from the data up: ``levels[0]`` holds :math:`z_1`.
        decoder: From the state below the first level to the law of the data.

    Raises:
        ValueError: there is no level.

    Example:
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> vae = pg.vae.ladder_vae((64,), (8, 4, 2), BernoulliElement())
        >>> isinstance(vae, pg.vae.HierarchicalVAE), vae.site_names
        (True, ('z_1', 'z_2', 'z_3'))
    """

    initial: Tensor

    def __init__(self, levels: Sequence[Level], decoder: NetworkLaw) -> None:
        super().__init__()
        if not levels:
            raise ValueError("`levels` must hold at least one level; got none.")
        self.levels = nn.ModuleList(levels)
        self.decoder = decoder
        top = levels[-1]
        if top.state_shape:
            self.initial = nn.Parameter(torch.zeros(top.state_shape))
        else:
            self.register_buffer("initial", torch.zeros(()))  # knows dtype and device

    # --------------------------------------------------------------------------------------------------------------------- laws

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one datum."""
        return tuple(self.decoder.event_shape)

    @property
    def site_names(self) -> tuple[str, ...]:
        """Names of the latent sites, from the data up."""
        return tuple(f"z_{k + 1}" for k in range(len(self.levels)))

    def descending(self) -> Iterator[tuple[str, Level]]:
        """The levels with the names of their sites, from the top down, in the order of the model."""
        for name, level in zip(reversed(self.site_names), reversed(self.levels), strict=True):
            yield name, cast(Level, level)

    def decode(self, latents: Mapping[str, Tensor]) -> TorchDistribution:
        r"""The law :math:`p(x \mid z_{1:L})` of the data.

        Args:
            latents: Site name to latents ``[*batch, *latent]``, all of them.
        """
        state = self.initial
        for name, level in self.descending():
            state = level.next_state(state, latents[name])
        return cast(TorchDistribution, self.decoder(state))

    def distribution(self) -> HierarchicalLaw:
        """The law of the data as a distribution; draws, bounds and estimates are its methods."""
        return HierarchicalLaw(self)

    def infer(self, x: Tensor, num_draws: int | None = None) -> Inference:
        """Draw all latents given data, with the posterior and the prior of every level at the draws (reparameterized).

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws n for each datum, in a dimension to the left; None: one, without that dimension.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `infer`.")

    # ----------------------------------------------------------------------------------------------------------------- programs

    def model(self, x: Tensor | None = None, *, size: int | None = None) -> Tensor:
        """The Pyro model: sites "z_L", ..., "z_1" and "x" in a plate "data".

        Args:
            x: Data ``[n, *event]`` to condition on; None to generate.
            size: Of how many data these n are a batch, which gives the scale N/B; by default n. Without data how many are
                generated; by default 1.

        Raises:
            ValueError: ``size`` is less than the number of data.
        """
        state = self.initial
        with data_plate(x, size, self.initial):
            for name, level in self.descending():
                state = level.next_state(state, pyro.sample(name, level.prior_law(state)))
            data: Tensor = pyro.sample("x", self.decoder(state), obs=x)
        return data

    def guide(self, x: Tensor, *, size: int | None = None) -> dict[str, Tensor]:
        """The Pyro guide: the latent sites, in a plate "data".

        Args:
            x: Data ``[n, *event]``.
            size: As in :meth:`model`.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `guide`.")

    def loss(self, objective: Callable[..., Objective] | None = None) -> Objective:
        """An objective on model and guide, for ``infer.fit``.

        Args:
            objective: What to minimize, such as ``infer.IWAE(10)``; ``infer.ELBO()`` by default.
        """
        return (ELBO() if objective is None else objective)(self.model, self.guide)
