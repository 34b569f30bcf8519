r"""The importance-weighted bound as a module.

With K draws :math:`z_k` from the guide and weights :math:`w_k = p_\theta(x, z_k) / q_\phi(z_k \mid x)`, for every datum

.. math::

    \mathrm{IWAE}_K(x) = \mathbb E \log \tfrac1K \textstyle\sum_k w_k \;\le\; \log p_\theta(x), \qquad
    K \bigl(\log p_\theta(x) - \mathrm{IWAE}_K(x)\bigr) \to \tfrac12 \operatorname{Var}_q(w) / p_\theta(x)^2 .

The ELBO is the case K = 1. What a datum is stands in :mod:`probgen.infer.log_weights`; a scale N/B multiplies the bounds.

*Two gradients.* With normalized weights :math:`\tilde w_k = w_k / \sum_j w_j`, the reparameterized gradient in :math:`\phi`
is :math:`\sum_k \tilde w_k \nabla_\phi \log w_k`, whose signal falls faster with K than its noise. Its score part can be
reparameterized once more, which gives the doubly reparameterized gradient

.. math:: \sum_k \tilde w_k^2\, \frac{\partial \log w_k}{\partial z_k} \frac{\mathrm d z_k}{\mathrm d \phi},

with the same expectation, and a ratio of signal to noise that grows with K. The gradient in :math:`\theta` is
:math:`\sum_k \tilde w_k \nabla_\theta \log w_k` in both.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from probgen.infer.importance_weighted import ImportanceWeightedObjective
from probgen.infer.log_weights import LogWeights, log_weights
from probgen.infer.trace import Site
from probgen.infer.variational import Particles, Program, require_reparameterized

__all__ = ["IWAE", "IWAELoss"]


class IWAE:
    """How to estimate an importance-weighted bound; call it with the programs to get the loss.

    Args:
        particles: Number K of draws for every datum.
        gradient: "reparameterized", or "doubly_reparameterized" (the guide then runs twice).
        vectorize: Draw the particles in one pass, in a plate to the left of all others, instead of a loop.
        max_plate_nesting: With ``vectorize``, the largest number of batch dimensions in the programs.

    Raises:
        ValueError: ``particles`` is not positive, or ``gradient`` is unknown.

    References:
        Burda, Grosse, Salakhutdinov (2016). Importance weighted autoencoders. https://arxiv.org/abs/1509.00519
        Rainforth, Kosiorek, Le, Maddison, Igl, Wood, Teh (2018). Tighter variational bounds are not necessarily better.
        https://arxiv.org/abs/1802.04537
        Tucker, Lawson, Gu, Maddison (2019). Doubly reparameterized gradient estimators for Monte Carlo objectives.
        https://arxiv.org/abs/1810.04152

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.infer import IWAE
        >>> def model(x):
        ...     with pyro.plate("data", len(x)):
        ...         z = pyro.sample("z", dist.Normal(0.0, 1.0))
        ...         pyro.sample("x", dist.Normal(z, 1.0), obs=x)
        >>> def posterior(x):
        ...     with pyro.plate("data", len(x)):
        ...         pyro.sample("z", dist.Normal(x / 2, 0.5**0.5))
        >>> IWAE(10)(model, posterior)(torch.ones(1))  # -log N(1; 0, 2), whatever is drawn
        tensor(1.5155)
    """

    def __init__(
        self,
        particles: int,
        gradient: Literal["reparameterized", "doubly_reparameterized"] = "reparameterized",
        *,
        vectorize: bool = True,
        max_plate_nesting: int = 1,
    ) -> None:
        if gradient not in ("reparameterized", "doubly_reparameterized"):
            raise ValueError(f"`gradient` must be 'reparameterized' or 'doubly_reparameterized'; got {gradient!r}.")
        self.particles = Particles(particles, vectorize, max_plate_nesting)
        self.gradient = gradient

    def __call__(self, model: Program, guide: Program | None = None) -> IWAELoss:
        """Return the loss of a model and a guide as a module with their parameters."""
        return IWAELoss(self, model, guide)


class IWAELoss(ImportanceWeightedObjective):
    """The negative importance-weighted bound, summed over the data; built by :class:`IWAE`.

    Args:
        estimator: How to estimate.
        model: The generative program; a module, a bound method of a module, or a function without parameters.
        guide: The variational program, or None.

    Raises:
        ValueError: on a call, when the sites of model and guide don't match, a guide site has parameters but is not
            reparameterized, a scale would stand inside the logarithm, or a ``pyro.param`` statement is used.

    Example:
        >>> import pyro
        >>> import pyro.distributions as dist
        >>> from probgen.infer import IWAE
        >>> prior = lambda: pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> IWAE(3)(prior, prior)()
        tensor(0.)
    """

    def __init__(self, estimator: IWAE, model: Program, guide: Program | None = None) -> None:
        super().__init__(model, guide, estimator.particles)
        self.estimator = estimator

    def _bound(self, log_weights: Tensor) -> Tensor:
        return torch.logsumexp(log_weights, 0) - math.log(len(log_weights))

    def _weights(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> LogWeights:
        if self.guide is None or self.estimator.gradient == "reparameterized" or not torch.is_grad_enabled():
            return super()._weights(args, kwargs)
        rescaled = _Rescaled()
        with self.particles.plate():
            passes = [self._frozen_pass(args, kwargs, rescaled) for _ in range(self.particles.passes)]
        weights = LogWeights.stacked(passes)
        rescaled.normalized = weights.normalized()
        return weights

    def _frozen_pass(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], rescaled: _Rescaled) -> LogWeights:
        """The weights of one pass whose gradients reach the guide through the draws only, and rescaled."""
        guide_sites, draws = self._draw(args, kwargs)
        require_reparameterized(guide_sites)
        draws |= rescaled.draws({name: site for name, site in guide_sites.items() if not site.observed})
        frozen = self._frozen_guide(args, kwargs, draws)
        return log_weights(self._score(args, kwargs, frozen, draws), frozen, self.particles)


class _Rescaled:
    """Draws whose gradients are multiplied by the normalized weight of their particle on the way back to the guide.

    The weights are known only when all passes are over, before a gradient is taken. Model and frozen guide see copies of the
    draws, the guide's own later draws the draws themselves, so every path back to the guide is rescaled once.
    """

    def __init__(self) -> None:
        self.normalized: Tensor | None = None
        self.passes = 0

    def draws(self, sites: Mapping[str, Site]) -> dict[str, Tensor]:
        """Copies of the values of latent sites; one call for every pass."""
        number, self.passes = self.passes, self.passes + 1
        return {name: self._copy(site, number) for name, site in sites.items() if site.value.requires_grad}

    def _copy(self, site: Site, number: int) -> Tensor:
        copy = site.value.view_as(site.value)
        event_dim = len(site.fn.event_shape)

        def rescale(gradient: Tensor) -> Tensor:
            weights = self.normalized
            if weights is None:
                raise RuntimeError("the gradient was taken before the weights were known.")
            own = weights if self.passes == 1 else weights[number]
            own = own.reshape(own.shape[max(own.dim() + event_dim - copy.dim(), 0) :])  # these have length one
            return gradient * own.reshape(*own.shape, *(1,) * event_dim)

        copy.register_hook(rescale)
        return copy
