r"""A latent-variable model with one group of latents: :math:`z \sim p(z)`, :math:`x \sim p(x \mid z)`, and :math:`q(z \mid x)`.

The prior is a distribution, the decoder a function (a module, say) from latents to the law of the data, the encoder one from
data to a law of the latents: the autoencoder of variational inference, seen as what it is, the law of x.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.events import drawn, placed, reference_draw, scored
from probgen.distributions.latent.divergence import divergence_at
from probgen.distributions.latent.marginal import LatentTerms, MarginalDistribution

__all__ = ["LatentVariable"]


class LatentVariable(MarginalDistribution):
    r"""The law of x under :math:`p(x) = \int p(x \mid z)\, p(z)\, \mathrm dz`, with an approximate posterior.

    It holds no parameters of its own and is cheap to build. ``elbo`` and ``iwae`` are training terms for every datum;
    ``log_prob_estimate`` evaluates.

    Attributes:
        prior: The law of the latents.
        decoder: From latents ``[*batch, *latent]`` to the law of the data.
        encoder: From data ``[*batch, *event]`` to the law of the latents.

    Args:
        prior: The law of the latents; its batch shape is that of the model.
        decoder: From latents to the law of the data, a distribution over events of one shape.
        encoder: From data to the law of the latents, over events like the prior's.
        event_shape: Shape of one datum; by default the decoder's attribute of that name, else found by decoding zeros.
        allow_estimate: Let ``log_prob`` return the evidence lower bound from one draw, fresh at every call.
        validate_args: As in ``torch.distributions``.

    References:
        Kingma, Welling (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
        Rezende, Mohamed, Wierstra (2014). Stochastic backpropagation. https://arxiv.org/abs/1401.4082

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import LatentVariable, standard_normal
        >>> p = LatentVariable(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(x / 2, 0.5**0.5))
        >>> x = p.sample((5,))
        >>> gap = dist.Normal(0.0, 2**0.5).log_prob(x) - p.iwae(x, 3)  # the encoder is the posterior: every weight is p(x)
        >>> bool(gap.abs().max() < 1e-5)
        True
    """

    def __init__(
        self,
        prior: TorchDistribution,
        decoder: Callable[[Tensor], TorchDistribution],
        encoder: Callable[[Tensor], TorchDistribution],
        *,
        event_shape: Sequence[int] | None = None,
        allow_estimate: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        self.allow_estimate = allow_estimate
        self.prior = prior
        self.decoder = decoder
        self.encoder = encoder
        shape = declared_shape(decoder, event_shape)
        event = self._decoded_zeros().event_shape if shape is None else torch.Size(shape)
        super().__init__(prior.batch_shape, event, validate_args=validate_args)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """That of the decoder."""
        return cast(Constraint, self._decoded_zeros().support)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.prior = self.prior.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw data ``[*sample_shape, *batch, *event]`` without gradients: latents, then data given them."""
        return self.sample_joint(sample_shape)["x"]

    def sample_joint(self, sample_shape: Sequence[int] = torch.Size()) -> dict[str, Tensor]:
        """Draw latents "z" ``[*sample_shape, *batch, *latent]`` and data "x" ``[*sample_shape, *batch, *event]``.

        Args:
            sample_shape: Shape of the draws.
        """
        with torch.no_grad():
            z = drawn(self._placed_prior(), sample_shape)
            return {"z": z, "x": drawn(self.decoder(z))}

    def log_prior(self, latents: Mapping[str, Tensor]) -> Tensor:
        """The log-density log p(z) of latents "z", ``[*sample, *batch]``, in nats."""
        return scored(placed(self.prior, latents["z"]), latents["z"])

    def log_joint(self, x: Tensor, latents: Mapping[str, Tensor]) -> Tensor:
        """The exact joint log-density log p(x, z) of latents "z", ``[*sample, *batch]``, in nats."""
        self._check_shape(x)
        return self.log_prior(latents) + scored(self.decoder(latents["z"]), x)

    def posterior(self, x: Tensor) -> TorchDistribution:
        r"""The approximate posterior :math:`q(z \mid x)` of data ``[*batch, *event]``."""
        self._check_shape(x)
        return self.encoder(x)

    def _terms(self, x: Tensor, num_draws: int, *, closed_form: bool) -> LatentTerms:
        q = self.encoder(x)
        z = _posterior_draws(q, num_draws)
        divergence = divergence_at(q, placed(self.prior, z), z, closed_form=closed_form)  # first: it may score the very draw
        return LatentTerms(scored(self.decoder(z), x), (divergence,))

    def _placed_prior(self) -> TorchDistribution:
        """The prior, in the dtype and on the device of the decoder's parameters where it leaves them open."""
        parameters = self.decoder.parameters() if isinstance(self.decoder, nn.Module) else iter(())
        reference = next((parameter for parameter in parameters if parameter.is_floating_point()), None)
        return self.prior if reference is None else placed(self.prior, reference)

    def _decoded_zeros(self) -> TorchDistribution:
        """What the decoder says of latents that are zero; for shapes and supports."""
        with torch.no_grad():
            return self.decoder(torch.zeros_like(reference_draw(self._placed_prior())))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(event_shape={tuple(self.event_shape)}, latent_shape={tuple(self.prior.event_shape)}, "
            f"batch_shape={tuple(self.batch_shape)})"
        )


def _posterior_draws(q: TorchDistribution, num_draws: int) -> Tensor:
    """Draws ``[n, *batch, *latent]``, reparameterized; where gradients are not recorded, any draws."""
    if q.has_rsample:
        return q(torch.Size((num_draws,)))  # as Pyro draws: scoring the draw of a flow is free
    if torch.is_grad_enabled():
        raise ValueError(
            f"`encoder` must return a law with `rsample`, else the gradient of the bound is wrong; got {type(q).__name__}. "
            "Evaluate under `torch.no_grad()`; to train discrete latents, sum over their values."
        )
    return drawn(q, (num_draws,))


def declared_shape(decoder: object, event_shape: Sequence[int] | None) -> tuple[int, ...] | None:
    """The shape of one datum: what was given, else the decoder's attribute of that name, else None."""
    shape: Any = getattr(decoder, "event_shape", None) if event_shape is None else event_shape
    return None if shape is None else tuple(shape)
