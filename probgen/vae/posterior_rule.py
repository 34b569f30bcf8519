r"""How a level of a top-down hierarchy makes its posterior out of its prior and what the data say.

Both are normal laws with independent coordinates: the prior :math:`\mathcal N(\mu_p, \sigma_p^2)` given the levels above, and
a *correction* :math:`\mathcal N(m, s^2)` that a network reads from the data (and the levels above). Three rules:

.. math::

    \text{direct:}\quad & q = \mathcal N(m, s^2), \\
    \text{residual:}\quad & q = \mathcal N\bigl(\mu_p + \sigma_p m,\; \sigma_p^2 s^2\bigr), \\
    \text{precision-weighted:}\quad & q \propto \mathcal N(\mu_p, \sigma_p^2)\, \mathcal N(m, s^2) .

The residual rule makes the divergence a function of the correction alone,
:math:`\mathrm{KL}(q \,\|\, p) = \tfrac12 \sum (s^2 + m^2 - 1 - \log s^2)`: at the correction :math:`\mathcal N(0, 1)` the
posterior is the prior, whatever the prior is. The precision-weighted rule is Bayes' rule for a prior and a likelihood that are
both normal. See the page "Hierarchical variational autoencoders" (``docs/derivations/vae-hierarchy.md``).
"""

from __future__ import annotations

from typing import Literal, get_args

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.events import coordinates, normal_over_event

__all__ = ["PosteriorRule", "posterior_of", "tempered"]

PosteriorRule = Literal["direct", "residual", "precision-weighted"]


def posterior_of(rule: PosteriorRule, prior: TorchDistribution, correction: TorchDistribution) -> TorchDistribution:
    """The posterior of a level.

    Args:
        rule: How prior and correction are combined (see the module).
        prior: Law of the latents given the levels above, ``[*batch, *latent]``.
        correction: What the data say, a law of the same events; its batch broadcasts with the prior's.

    Raises:
        ValueError: the rule is unknown.
        TypeError: a law is not normal where the rule needs it.

    References:
        Sønderby, Raiko, Maaløe, Sønderby, Winther (2016). Ladder variational autoencoders. https://arxiv.org/abs/1602.02282
        Vahdat, Kautz (2020). NVAE: a deep hierarchical variational autoencoder. https://arxiv.org/abs/2007.03898
        Child (2021). Very deep VAEs generalize autoregressive models. https://arxiv.org/abs/2011.10650

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.vae.posterior_rule import posterior_of
        >>> prior, correction = dist.Normal(2.0, 3.0), dist.Normal(0.0, 1.0)
        >>> posterior_of("residual", prior, correction)  # no correction: the prior
        Normal(loc: 2.0, scale: 3.0)
        >>> posterior_of("precision-weighted", dist.Normal(0.0, 1.0), dist.Normal(1.0, 1.0))
        Normal(loc: 0.5, scale: 0.7071067690849304)
    """
    if rule == "direct":
        return correction
    require_rule(rule)
    mean, scale = _moments(prior, "prior")
    m, s = _moments(correction, "correction")
    if rule == "residual":
        return normal_over_event(mean + scale * m, scale * s, len(prior.event_shape))
    precision = scale.square().reciprocal() + s.square().reciprocal()
    share = s.square().reciprocal() / precision  # of the correction
    return normal_over_event(mean + share * (m - mean), precision.rsqrt(), len(prior.event_shape))


def require_rule(rule: str) -> None:
    """Raise if there is no such rule."""
    if rule not in get_args(PosteriorRule):
        raise ValueError(f"`posterior` must be one of {get_args(PosteriorRule)}; got {rule!r}.")


def tempered(law: TorchDistribution, temperature: float) -> TorchDistribution:
    r"""The normal law with its standard deviation times the temperature, :math:`\mathcal N(\mu, T^2 \sigma^2)`.

    Args:
        law: A normal law with independent coordinates; any law at temperature one.
        temperature: Positive; below one, draws are more typical.

    Raises:
        ValueError: the temperature is not positive.
        TypeError: the law is not normal and the temperature not one.

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.vae.posterior_rule import tempered
        >>> tempered(dist.Normal(1.0, 2.0), 0.5)
        Normal(loc: 1.0, scale: 1.0)
    """
    if not temperature > 0:
        raise ValueError(f"`temperature` must be positive; got {temperature}.")
    if temperature == 1:
        return law
    mean, scale = _moments(law, "tempered law")
    return normal_over_event(mean, temperature * scale, len(law.event_shape))


def _moments(law: TorchDistribution, what: str) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of independent normal coordinates."""
    base = coordinates(law)
    if not isinstance(base, dist.Normal):
        found = type(law if base is None else base).__name__
        raise TypeError(f"the {what} must be normal with independent coordinates; got {found}.")
    return base.loc, base.scale
