r"""One level of a hierarchy of latents.

The top-down pass carries a *state* :math:`h`, what the levels drawn so far amount to. A level draws its latent given the state
and makes the next state of both:

.. math::

    z_l \sim p(z_l \mid h_l), \qquad h_{l-1} = u_l(h_l, z_l), \qquad x \sim p(x \mid h_0).

Without an update the next state is the latent itself, so that a stack of such levels is a Markov chain
:math:`z_L \to \dots \to z_1 \to x`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.elements import NetworkLaw
from probgen.distributions.events import normal_over_event, one_batch_dim
from probgen.vae.posterior_rule import PosteriorRule, posterior_of

__all__ = ["Level"]


class Level(nn.Module):
    r"""The law of one latent given the state, what the data say about it, and the next state.

    Args:
        latent_shape: Shape of the latent :math:`z_l` of one datum.
        state_shape: Shape of the state :math:`h_l`; () for a level that does not read it (the top of a Markov chain).
        prior: From the state ``[*batch, *state]`` to the law of the latent; None: the standard normal law.
        update: A network from state ``[N, *state]`` and latent ``[N, *latent]`` to the next state ``[N, ...]``; None: the next
            state is the latent.
        correction: What the data say about the latent, used by the posterior of a top-down model: a law given the state and, as
            its context, the features ``[*batch, *features]`` of the data, or given the features alone, if it takes no context.

    Raises:
        ValueError: the laws are not over latents of ``latent_shape``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import NetworkLaw, NormalElement
        >>> prior = NetworkLaw(pg.nn.MLP(8, 4), NormalElement(), event_shape=(2,), input_shape=(8,))
        >>> level = pg.vae.Level((2,), (8,), prior=prior, update=pg.nn.MLP(8, 16, context_features=2))
        >>> z = level.prior_law(torch.zeros(5, 8)).sample()
        >>> level.next_state(torch.zeros(5, 8), z).shape
        torch.Size([5, 16])
    """

    def __init__(
        self,
        latent_shape: Sequence[int],
        state_shape: Sequence[int] = (),
        *,
        prior: NetworkLaw | None = None,
        update: nn.Module | None = None,
        correction: NetworkLaw | None = None,
    ) -> None:
        super().__init__()
        self.latent_shape = tuple(latent_shape)
        self.state_shape = tuple(state_shape)
        for name, law in (("prior", prior), ("correction", correction)):
            if law is not None and tuple(law.event_shape) != self.latent_shape:
                raise ValueError(f"the `{name}` must be a law of latents {self.latent_shape}; got {tuple(law.event_shape)}.")
        self.prior = prior
        self.update = update
        self.correction = correction

    def prior_law(self, state: Tensor) -> TorchDistribution:
        r""":math:`p(z_l \mid h_l)` for states ``[*batch, *state]``."""
        if self.prior is not None:
            return cast(TorchDistribution, self.prior(state))
        zeros = state.new_zeros(self.latent_shape)
        return normal_over_event(zeros, torch.ones_like(zeros), zeros.dim())

    def posterior_law(
        self, rule: PosteriorRule, prior: TorchDistribution | None, state: Tensor, features: Tensor
    ) -> TorchDistribution:
        r""":math:`q(z_l \mid h_l, x)` by a rule from the prior at the same state.

        Args:
            rule: See :func:`~probgen.vae.posterior_rule.posterior_of`.
            prior: :math:`p(z_l \mid h_l)`; None: worked out, if the rule reads it.
            state: Shape ``[*batch, *state]``.
            features: Features of the data for this level, ``[*batch, *features]``; the batches broadcast.

        Raises:
            ValueError: the level has no correction.
        """
        if self.correction is None:
            raise ValueError("a level without `correction` has no posterior of its own.")
        alone = self.correction.context_shape is None
        correction = self.correction(features) if alone else self.correction(state, features)
        if rule == "direct":
            return cast(TorchDistribution, correction)
        return posterior_of(rule, self.prior_law(state) if prior is None else prior, correction)

    def next_state(self, state: Tensor, z: Tensor) -> Tensor:
        """The state below this level.

        Args:
            state: Shape ``[*batch, *state]``.
            z: Shape ``[*batch, *latent]``; the batches broadcast.
        """
        if self.update is None:
            return z
        of_state, of_z = state.shape[: state.dim() - len(self.state_shape)], z.shape[: z.dim() - len(self.latent_shape)]
        batch = of_z if of_state == of_z else torch.broadcast_shapes(of_state, of_z)
        output: Tensor = self.update(one_batch_dim(state, batch, self.state_shape), one_batch_dim(z, batch, self.latent_shape))
        return output if len(batch) == 1 else output.reshape(*batch, *output.shape[1:])

    def extra_repr(self) -> str:
        """Shapes."""
        return f"latent_shape={self.latent_shape}, state_shape={self.state_shape}"
