r"""The evidence lower bound as a module.

For a model :math:`p_\theta(x, z)` and a guide :math:`q_\phi(z \mid x)`,

.. math::

    \log p_\theta(x) \ge \mathrm{ELBO}(x) = \mathbb{E}_{q_\phi(z \mid x)}\bigl[\log p_\theta(x, z) - \log q_\phi(z \mid x)\bigr]
    = \mathbb{E}_q[\log p_\theta(x \mid z)] - \mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z)\bigr).

The loss is :math:`-\mathrm{ELBO}` in nats, summed over the data with each plate's :math:`N/B`, estimated by reparameterized
draws. A site's KL term is taken in closed form where one is registered and integrating it out is allowed
(:mod:`probgen.infer.site_divergence`), by the draw elsewhere. Without latents the ELBO is the log-likelihood, so maximum
likelihood is the case ``guide=None``.

*Sticking the landing.* The total derivative of a draw of :math:`\log p(x, z) - \log q_\phi(z \mid x)` contains the score
:math:`\nabla_\phi \log q_\phi(z \mid x)` at fixed z. Its expectation is zero, but its variance is not: at the exact posterior
it is all that is left. ``path_derivative`` leaves it out, so that the gradient at the exact posterior is zero for every draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from probgen.infer.free_bits import FreeBits
from probgen.infer.kl_weight import KLBalancing, KLWeight, weigher
from probgen.infer.site_divergence import divergence_sum, divergence_terms, integrable
from probgen.infer.trace import Site
from probgen.infer.variational import Particles, Program, VariationalObjective, require_reparameterized

__all__ = ["ELBO", "ELBOLoss"]


class ELBO:
    r"""How to estimate an evidence lower bound; call it with the programs to get the loss.

    Args:
        particles: How many independent draws are averaged.
        vectorize: Draw the particles in one pass, in a plate to the left of all others, instead of a loop.
        max_plate_nesting: With ``vectorize``, the largest number of nested plates in the programs.
        analytic_kl: Use closed-form Kullback–Leibler divergences where they are registered and allowed (see the module).
        kl_weight: The weight :math:`\beta` of the divergences: a number, a tensor, a module that returns a tensor (such as
            ``Annealed``), a mapping from names of sites to these, or a ``KLBalancing``.
        free_bits: Do not reward divergences below a threshold, see ``FreeBits``.
        path_derivative: Leave the score of the guide out of the gradient (see the module); divergences are then drawn, and the
            guide runs twice.

    Raises:
        ValueError: ``particles`` is not positive, or ``free_bits`` stands beside ``path_derivative``.

    References:
        Kingma, Welling (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
        Ranganath, Gerrish, Blei (2014). Black box variational inference. https://arxiv.org/abs/1401.0118
        Higgins, Matthey, Pal, Burgess, Glorot, Botvinick, Mohamed, Lerchner (2017). beta-VAE: learning basic visual concepts
        with a constrained variational framework. https://openreview.net/forum?id=Sy2fzU9gl
        Roeder, Wu, Duvenaud (2017). Sticking the landing: simple, lower-variance gradient estimators for variational
        inference. https://arxiv.org/abs/1703.09194

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from pyro.nn import PyroModule
        >>> from probgen.infer import ELBO
        >>> class Coin(PyroModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.logit = torch.nn.Parameter(torch.tensor(0.0))
        ...
        ...     def forward(self, x):
        ...         with pyro.plate("data", len(x)):
        ...             pyro.sample("x", dist.Bernoulli(logits=self.logit), obs=x)
        >>> ELBO()(Coin())(torch.ones(2)).item() / 2
        0.693147...
    """

    def __init__(
        self,
        particles: int = 1,
        *,
        vectorize: bool = False,
        max_plate_nesting: int = 1,
        analytic_kl: bool = True,
        kl_weight: KLWeight | KLBalancing = 1.0,
        free_bits: FreeBits | None = None,
        path_derivative: bool = False,
    ) -> None:
        if free_bits is not None and path_derivative:
            raise ValueError("`free_bits` compares divergences, which `path_derivative` does not form; use one of the two.")
        self.particles = Particles(particles, vectorize, max_plate_nesting)
        self.analytic_kl = analytic_kl
        self.kl_weight = kl_weight
        self.free_bits = free_bits
        self.path_derivative = path_derivative

    def __call__(self, model: Program, guide: Program | None = None) -> ELBOLoss:
        """Return the loss of a model and a guide (None: maximum likelihood) as a module with their parameters."""
        return ELBOLoss(self, model, guide)


class ELBOLoss(VariationalObjective):
    """The negative ELBO of a model and a guide; built by :class:`ELBO`.

    The call passes its arguments to both programs and returns a scalar in nats. It reads no tensor value on the host, so it
    can be compiled and does not stall a GPU.

    Args:
        estimator: How to estimate.
        model: The generative program; a module, a bound method of a module, or a function without parameters.
        guide: The variational program, or None.

    Raises:
        ValueError: on a call, when the sites of model and guide don't match, a guide site has parameters but is not
            reparameterized, or a ``pyro.param`` statement is used.

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.infer import ELBO
        >>> prior = lambda: pyro.sample("z", dist.Normal(0.0, 1.0))
        >>> ELBO()(prior, lambda: pyro.sample("z", dist.Normal(1.0, 1.0)))()  # KL = 1/2
        tensor(0.5000)
    """

    def __init__(self, estimator: ELBO, model: Program, guide: Program | None = None) -> None:
        super().__init__(model, guide, estimator.particles)
        self.estimator = estimator
        self.weigh = weigher(estimator.kl_weight)

    def _loss(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        particles = self.particles
        with particles.plate():
            losses = [self._particle(args, kwargs) for _ in range(particles.passes)]
        loss = sum(losses[1:], losses[0])
        return loss / particles.number if particles.number > 1 else loss

    def _particle(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        guide_sites, draws = self._draw(args, kwargs)
        model_sites = self._score(args, kwargs, guide_sites, draws)
        require_reparameterized(guide_sites)
        if self.estimator.path_derivative:
            guide_sites = self._frozen_guide(args, kwargs, draws)
        latent = [n for n, site in model_sites.items() if not site.observed and n in guide_sites]
        terms = [site.negative_log_prob_sum() for n, site in model_sites.items() if site.observed or n not in guide_sites]
        divergences = self._divergences(model_sites, guide_sites, latent)
        if self.weigh is not None and (divergences or isinstance(self.estimator.kl_weight, Mapping)):
            terms.append(self.weigh(divergences))
        else:
            terms += divergences.values()
        return torch.stack(terms).sum() if len(terms) > 2 else sum(terms[1:], terms[0])

    def _divergences(
        self, model_sites: Mapping[str, Site], guide_sites: Mapping[str, Site], latent: list[str]
    ) -> dict[str, Tensor]:
        """The contribution of every latent, and log q of the sites that only the guide has: scalars in nats."""
        estimator, free = self.estimator, self.estimator.free_bits
        analytic = estimator.analytic_kl and not estimator.path_derivative
        exact = integrable(model_sites, guide_sites) if analytic else frozenset()
        extra = {name: site for name, site in guide_sites.items() if name not in model_sites}
        found = {}
        for name in latent:
            posterior, prior, known = guide_sites[name], model_sites[name], name in exact
            if free is None:
                found[name] = divergence_sum(posterior, prior, exact=known)
            else:
                found[name] = free.total(divergence_terms(posterior, prior, exact=known, per_unit=free.per == "unit"), prior)
        if extra and free is not None:
            raise ValueError(f"free bits need a divergence for each latent; the guide's sites {list(extra)} have none.")
        if extra and isinstance(estimator.kl_weight, (Mapping, KLBalancing)):
            raise ValueError(
                f"weights of single divergences need one for each latent; the guide's sites {list(extra)} are not in the "
                "model, so use one number for `kl_weight`."
            )
        return found | {name: site.log_prob_sum() for name, site in extra.items()}
