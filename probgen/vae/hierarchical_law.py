r"""The law of x in a hierarchy of latents, and everything that one pass through the hierarchy tells.

.. math::

    p(x) = \int p(x \mid z_{1:L}) \prod_{l=1}^L p(z_l \mid z_{>l})\, \mathrm dz, \qquad
    \log w = \log p(x \mid z_{1:L}) - \sum_{l=1}^L \bigl[\log q(z_l \mid \cdot) - \log p(z_l \mid z_{>l})\bigr].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.events import drawn, scored
from probgen.distributions.latent import LatentTerms, MarginalDistribution, divergence_at
from probgen.distributions.latent.divergence import coordinate_divergences
from probgen.vae.posterior_rule import tempered

if TYPE_CHECKING:
    from probgen.vae.hierarchical import HierarchicalVAE

__all__ = ["HierarchicalLaw", "Inference", "LevelDraw"]


class LevelDraw(NamedTuple):
    """What inference says of one level.

    Attributes:
        z: Draws of the latent, ``[*n, *batch, *latent]``.
        posterior: The law they were drawn from.
        prior: The law of the latent given the draws of the levels above.
        integrable: Whether the divergence of the two is free of ``z`` given what was drawn before, so that a closed form of it
            may stand for the draw.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.vae.hierarchical_law import LevelDraw
        >>> draw = LevelDraw(torch.tensor(2.0), dist.Normal(1.0, 1.0), dist.Normal(0.0, 1.0), integrable=True)
        >>> draw.divergence(closed_form=True), draw.divergence(closed_form=False)
        (tensor(0.5000), tensor(1.5000))
    """

    z: Tensor
    posterior: TorchDistribution
    prior: TorchDistribution
    integrable: bool

    def divergence(self, *, closed_form: bool) -> Tensor:
        """Of posterior and prior at the draw, or its expectation: ``[*n, *batch]`` or ``[*batch]``, in nats."""
        return divergence_at(self.posterior, self.prior, self.z, closed_form=closed_form and self.integrable)

    def unit_divergences(self) -> Tensor:
        """The same for every coordinate of the latent, averaged over draws and data: ``[*latent]``, in nats."""
        found = coordinate_divergences(self.posterior, self.prior, self.z, closed_form=self.integrable)
        if found is None:
            raise ValueError("coordinates of this level may depend on each other: they have no divergences of their own.")
        cut = found.dim() - len(self.prior.event_shape)
        return found.reshape(found.shape[:cut].numel(), *found.shape[cut:]).mean(0)


class Inference(NamedTuple):
    """One pass of inference through a hierarchy.

    Attributes:
        levels: Site name to what inference says of the level, in the order of the model: the top first.
        state: The state below the last level, from which the data are decoded, ``[*n, *batch, *state]``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> found = pg.vae.ladder_vae((4,), (3, 2), hidden=8).infer(torch.zeros(5, 4), 7)
        >>> {name: tuple(draw.z.shape) for name, draw in found.levels.items()}
        {'z_2': (7, 5, 2), 'z_1': (7, 5, 3)}
    """

    levels: dict[str, LevelDraw]
    state: Tensor


class HierarchicalLaw(MarginalDistribution):
    """The law of the data of a hierarchical variational autoencoder; ``vae.distribution()`` makes it.

    Bounds and estimates take one pass, which posterior and prior share. Joint draws of all latents and the joint density are
    here too.

    Args:
        vae: The model with its inference.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.elements import BernoulliElement
        >>> p = pg.vae.top_down_vae((64,), (8, 2), BernoulliElement(), hidden=16).distribution()
        >>> draws = p.sample_joint((3,))
        >>> {name: tuple(value.shape) for name, value in draws.items()}
        {'z_2': (3, 2), 'z_1': (3, 8), 'x': (3, 64)}
        >>> x = draws.pop("x")
        >>> p.log_joint(x, draws).shape, p.iwae(x, 5).shape
        (torch.Size([3]), torch.Size([3]))
    """

    def __init__(self, vae: HierarchicalVAE) -> None:
        self.vae = vae
        super().__init__(torch.Size(), torch.Size(vae.event_shape))

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """That of the decoder."""
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            latents = self._walk((), {}, {})[0]
            return cast(Constraint, self.vae.decode(latents).support)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        return self._expanded(batch_shape, _instance)

    # ------------------------------------------------------------------------------------------------------------------- draws

    def sample(self, sample_shape: Sequence[int] = torch.Size(), *, temperature: float | Mapping[str, float] = 1.0) -> Tensor:
        """Draw data ``[*sample_shape, *batch, *event]`` without gradients.

        Args:
            sample_shape: Shape of the draws.
            temperature: As in :meth:`sample_joint`.
        """
        return self.sample_joint(sample_shape, temperature=temperature)["x"]

    def sample_joint(
        self,
        sample_shape: Sequence[int] = torch.Size(),
        *,
        given: Mapping[str, Tensor] | None = None,
        temperature: float | Mapping[str, float] = 1.0,
    ) -> dict[str, Tensor]:
        """Draw latents and data from the top down, without gradients.

        Args:
            sample_shape: Shape of the draws.
            given: Site name to latents ``[*k, *latent]`` that are kept; k broadcasts with the shape of the draws. All other
                levels are drawn from their priors.
            temperature: Factor of the standard deviations of the latents, one for all or by site name (1 where a name is
                missing).

        Returns:
            Site name to draws, the top first, and the data as "x".

        Raises:
            ValueError: a name is not a site, or a temperature not positive.
        """
        with torch.no_grad():
            names = set(self.vae.site_names)
            factors = dict(temperature) if isinstance(temperature, Mapping) else dict.fromkeys(names, float(temperature))
            for what, keys in (("given", set(given or {})), ("temperature", set(factors))):
                if keys - names:
                    raise ValueError(f"`{what}` names sites {sorted(keys - names)}; this model has {sorted(names)}.")
            shape = torch.Size((*sample_shape, *self.batch_shape))
            latents, state = self._walk(shape, given or {}, factors)
            law = self.vae.decoder(state)
            return {**latents, "x": drawn(law.expand(torch.broadcast_shapes(law.batch_shape, shape)))}

    def _walk(
        self, shape: Sequence[int], given: Mapping[str, Tensor], factors: Mapping[str, float]
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Latents drawn from their priors, where not given, and the state below them."""
        latents: dict[str, Tensor] = {}
        state = self.vae.initial
        for name, level in self.vae.descending():
            if name in given:
                k = given[name].shape[: given[name].dim() - len(level.latent_shape)]
                latents[name] = given[name].expand(*torch.broadcast_shapes(k, torch.Size(shape)), *level.latent_shape)
            else:
                law = tempered(level.prior_law(state), factors.get(name, 1.0))
                latents[name] = drawn(law.expand(torch.broadcast_shapes(law.batch_shape, torch.Size(shape))))
            state = level.next_state(state, latents[name])
        return latents, state

    # --------------------------------------------------------------------------------------------------------------- densities

    def log_joint(self, x: Tensor, latents: Mapping[str, Tensor]) -> Tensor:
        r"""The exact joint log-density :math:`\log p(x, z_1, \dots, z_L)`, ``[*batch]``, in nats.

        Args:
            x: Data ``[*batch, *event]``.
            latents: Site name to latents ``[*batch, *latent]``, all of them; batches broadcast.

        Raises:
            ValueError: a latent is missing.
        """
        self._check_shape(x)
        return self.log_prior(latents) + scored(self.vae.decode(latents), x)

    def log_prior(self, latents: Mapping[str, Tensor]) -> Tensor:
        r"""The exact log-density of the latents, :math:`\sum_l \log p(z_l \mid z_{>l})`, ``[*batch]``, in nats.

        Args:
            latents: Site name to latents ``[*batch, *latent]``, all of them; batches broadcast.

        Raises:
            ValueError: a latent is missing.
        """
        missing = [name for name in self.vae.site_names if name not in latents]
        if missing:
            raise ValueError(f"`latents` must hold all sites; missing {missing}.")
        state, total = self.vae.initial, torch.zeros(())
        for name, level in self.vae.descending():
            total = total + scored(level.prior_law(state), latents[name])
            state = level.next_state(state, latents[name])
        return total

    def infer(self, x: Tensor, num_draws: int | None = None) -> Inference:
        """Draw all latents given data: posterior and prior of every level at the draws.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws n for each datum, in a dimension to the left; None: one, without that dimension.
        """
        self._check_shape(x)
        return self.vae.infer(x, num_draws)

    def divergences(self, x: Tensor, num_draws: int = 1) -> dict[str, Tensor]:
        r"""The divergence of every level, :math:`\mathbb E\,\mathrm{KL}(q(z_l \mid \cdot) \,\|\, p(z_l \mid z_{>l}))`.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws of the latents that are averaged.

        Returns:
            Site name to ``[*batch]``, in nats; the top first.
        """
        found = {name: draw.divergence(closed_form=True) for name, draw in self.infer(x, num_draws).levels.items()}
        batch = x.shape[: x.dim() - len(self.event_shape)]
        return {name: kl.expand(num_draws, *batch).mean(0) for name, kl in found.items()}

    def unit_divergences(self, x: Tensor, num_draws: int = 1) -> dict[str, Tensor]:
        """The divergence of every coordinate of every latent, averaged over the data; a unit in use has more than 0.01 nats.

        Args:
            x: Data ``[*batch, *event]``.
            num_draws: Draws of the latents that are averaged.

        Returns:
            Site name to ``[*latent]``, in nats; the top first.
        """
        with torch.no_grad():
            return {name: draw.unit_divergences() for name, draw in self.infer(x, num_draws).levels.items()}

    def _terms(self, x: Tensor, num_draws: int, *, closed_form: bool) -> LatentTerms:
        inference = self.vae.infer(x, num_draws)
        log_likelihood = scored(self.vae.decoder(inference.state), x)
        divergences = (draw.divergence(closed_form=closed_form) for draw in inference.levels.values())
        return LatentTerms(log_likelihood, tuple(divergences))

    def __repr__(self) -> str:
        shapes = {name: level.latent_shape for name, level in self.vae.descending()}
        return f"{type(self).__name__}(event_shape={tuple(self.event_shape)}, latents={shapes})"
