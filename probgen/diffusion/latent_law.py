r"""The law of the data under latent diffusion: draws, and a bound by weighted draws of latents and paths.

.. math::

    \log \frac1n \sum_{k=1}^n
    \frac{p(x \mid u^{(k)})\; p(u^{(k)}, u^{(k)}_{1:N})}{q(u^{(k)} \mid x)\; q(u^{(k)}_{1:N} \mid u^{(k)})}
    \;\le\; \log p(x) \quad\text{in expectation.}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.estimate import Estimate
from probgen.distributions.events import one_batch_dim, scored
from probgen.distributions.latent import LatentTerms, MarginalDistribution

if TYPE_CHECKING:
    from probgen.diffusion.latent import LatentDiffusion

__all__ = ["LatentDiffusionLaw"]


class LatentDiffusionLaw(MarginalDistribution):
    r"""The law of x; ``LatentDiffusion.distribution`` builds it.

    Args:
        model: The model.
        context: Shape ``[*batch, *context_shape]``, if the network of the chain takes one.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> import probgen as pg
        >>> from probgen.distributions.chains import GaussianDenoiser
        >>> schedule = pg.diffusion.linear_schedule(20, 0.1, 0.5)
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(1.0).double())
        >>> chain = pg.diffusion.Diffusion(oracle, schedule, event_shape=(1,), grid=20)
        >>> model = pg.diffusion.LatentDiffusion(  # x = z + noise with the exact posterior of z: the bound is tight
        ...     lambda x: dist.Normal(x / 2, 0.5**0.5).to_event(1), lambda z: dist.Normal(z, 1.0).to_event(1), chain, (1,)
        ... ).double()
        >>> x = torch.tensor([[0.3]]).double()
        >>> estimate = model.distribution().log_prob_estimate(x)
        >>> round(float(estimate.value - dist.Normal(0.0, 2**0.5).log_prob(x)), 6), estimate.kind
        (0.0, 'lower')
    """

    def __init__(self, model: LatentDiffusion, context: Tensor | None = None, *, validate_args: bool | None = None) -> None:
        self.model = model
        self.prior = model.diffusion.distribution(context=context)
        super().__init__(self.prior.batch_shape, torch.Size(model.event_shape), validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """That of the decoder."""
        latent = self.model.shift.new_zeros(1, *self.model.diffusion.event_shape)
        return cast(Constraint, self.model.decode(latent).support)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.prior = self.prior.expand(batch_shape)
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw data ``[*sample_shape, *batch, *event]`` without gradients: a latent by the chain, then data by the decoder."""
        with torch.no_grad():
            u = self.prior.sample(sample_shape)
            batch = torch.Size((*sample_shape, *self.batch_shape))
            flat = u.reshape(batch.numel(), *self.model.diffusion.event_shape)
            return self.model.decode(flat).sample().reshape(*batch, *self.event_shape)

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1, *, draws_at_once: int = 1) -> Estimate:
        """Estimate the log-density from below by weighted latents and paths; without gradients.

        Args:
            value: Data ``[*sample, *batch, *event]``.
            num_draws: Latents, each with a path, for each datum.
            draws_at_once: How many of them are evaluated in one pass, which bounds the memory.

        Raises:
            ValueError: a number of draws is not positive, or ``value`` has another event shape.
        """
        return super().log_prob_estimate(value, num_draws, draws_at_once=draws_at_once)

    def _terms(self, x: Tensor, num_draws: int, *, closed_form: bool) -> LatentTerms:
        """With the ELBO of one random step of the chain as its term, or, for weights, the log-ratio on a whole path."""
        if not closed_form and torch.is_grad_enabled():
            raise ValueError(
                f"the weights of {type(self).__name__} have no gradients, since paths are drawn; evaluate them under "
                "`torch.no_grad()`, train with `.elbo(x)` or `LatentDiffusion.loss`."
            )
        shape = torch.Size((num_draws, *x.shape[: x.dim() - len(self.event_shape)]))
        flat = one_batch_dim(x, shape, self.event_shape)
        q = self.model.encode(flat)
        u = q.rsample()
        latent = u.reshape(*shape, *self.model.diffusion.event_shape)
        log_prior = self.prior.bound(latent) if closed_form else self.prior.log_prob_estimate(latent).value
        return LatentTerms(scored(self.model.decode(u), flat).reshape(shape), (scored(q, u).reshape(shape) - log_prior,))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(event_shape={tuple(self.event_shape)}, latent_shape={self.model.diffusion.event_shape})"
