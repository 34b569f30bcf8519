r"""A layer that is random in both directions: :math:`x \sim p(x \mid z)`, :math:`z \sim q(z \mid x)`.

.. math:: \mathcal V(x, z) = \log p(x \mid z) - \log q(z \mid x)

It is a variational autoencoder as one part of a composition, below or above flows and surjections.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.events import drawn, placed, scored
from probgen.distributions.surjections.stochastic_map import StochasticMap
from probgen.distributions.surjections.surjection import draw_and_score

__all__ = ["StochasticLayer"]


class StochasticLayer(StochasticMap):
    r"""A decoder and an encoder: :math:`x \sim p(x \mid z)` forward, :math:`z \sim q(z \mid x)` backward; a lower bound.

    Args:
        decoder: A module from ``z`` ``[*batch, *latent_shape]`` (and a context, where declared) to a law of ``x``.
        encoder: A module from ``x`` ``[*batch, *event_shape]`` (and a context) to a law of ``z``, with ``rsample``.
        latent_shape: Shape of one ``z``.
        event_shape: Shape of one ``x``.
        support: Where ``x`` lies; the reals by default.
        context_shape: Trailing shape of the context that both take, or None.

    References:
        Kingma, Welling (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows. https://arxiv.org/abs/2007.02731

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.distributions import SurjectiveDistribution, standard_normal
        >>> from probgen.distributions.elements import NetworkLaw, NormalElement
        >>> from probgen.distributions.surjections import StochasticLayer
        >>> decoder = NetworkLaw(nn.Linear(2, 6), NormalElement(), event_shape=(3,), input_shape=(2,))
        >>> encoder = NetworkLaw(nn.Linear(3, 4), NormalElement(), event_shape=(2,), input_shape=(3,))
        >>> p = SurjectiveDistribution(standard_normal(2), StochasticLayer(decoder, encoder, (2,), (3,)))
        >>> p.bound(torch.zeros(5, 3), num_draws=4).shape
        torch.Size([5])
    """

    draws_forward = True
    draws_inverse = True

    def __init__(
        self,
        decoder: nn.Module,
        encoder: nn.Module,
        latent_shape: tuple[int, ...],
        event_shape: tuple[int, ...],
        *,
        support: Constraint | None = None,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder
        self.latent_shape = tuple(latent_shape)
        self.event_shape = tuple(event_shape)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self._support = constraints.independent(constraints.real, len(event_shape)) if support is None else support
        self.has_rsample = not self._support.is_discrete

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, len(self.latent_shape))

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The support of the decoder's law."""
        return self._support

    def _forward_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return self.event_shape

    def _inverse_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return self.latent_shape

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        x, log_decoder = draw_and_score(self._law(self.decoder, z, context), sample_shape)
        return x, log_decoder - scored(self._law(self.encoder, x, context), z)

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        z, log_encoder = draw_and_score(self._law(self.encoder, x, context), sample_shape)
        return z, scored(self._law(self.decoder, z, context), x) - log_encoder

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        law = self._law(self.decoder, z, context)
        return law.rsample() if law.has_rsample else drawn(law)

    def _inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        law = self._law(self.encoder, x, context)
        return law.rsample() if law.has_rsample else drawn(law)

    def _law(self, network: nn.Module, given: Tensor, context: Tensor | None) -> Any:
        return placed(network(given) if context is None else network(given, context), given)
