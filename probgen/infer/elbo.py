r"""The evidence lower bound as a module.

For a model :math:`p_\theta(x, z)` and a guide :math:`q_\phi(z \mid x)`,

.. math::

    \log p_\theta(x) \ge \mathrm{ELBO}(x) = \mathbb{E}_{q_\phi(z \mid x)}\bigl[\log p_\theta(x, z) - \log q_\phi(z \mid x)\bigr]
    = \mathbb{E}_q[\log p_\theta(x \mid z)] - \mathrm{KL}\bigl(q_\phi(z \mid x) \,\|\, p_\theta(z)\bigr).

The loss is :math:`-\mathrm{ELBO}` in nats, summed over the data with each plate's :math:`N/B`, estimated by reparameterized
draws. A site's KL term is taken in closed form where one is registered and integrating it out is allowed, by the draw
elsewhere. It is allowed for a site :math:`z_i` if every latent that the model draws before :math:`z_i` is also drawn before
it in the guide: then nothing that the model's factor of :math:`z_i` depends on is itself a function of :math:`z_i`. Without
latents the ELBO is the log-likelihood, so maximum likelihood is the case ``guide=None``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyro
import torch
from torch import Tensor, nn

from probgen.distributions.latent import closed_form_divergence
from probgen.infer.objective import Objective
from probgen.infer.pyro_modules import module_parameters_only
from probgen.infer.trace import Site, run_program, scale_and_mask

__all__ = ["ELBO", "ELBOLoss"]

Program = Callable[..., Any]


class ELBO:
    r"""How to estimate an evidence lower bound; call it with the programs to get the loss.

    Args:
        particles: How many independent draws are averaged.
        vectorize: Draw the particles in one pass, in a plate to the left of all others, instead of a loop.
        max_plate_nesting: With ``vectorize``, the largest number of nested plates in the programs.
        analytic_kl: Use closed-form Kullback–Leibler divergences where they are registered and allowed (see the module).

    Raises:
        ValueError: ``particles`` is not positive.

    References:
        Kingma, Welling (2014). Auto-encoding variational Bayes. https://arxiv.org/abs/1312.6114
        Ranganath, Gerrish, Blei (2014). Black box variational inference. https://arxiv.org/abs/1401.0118

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
        self, particles: int = 1, *, vectorize: bool = False, max_plate_nesting: int = 1, analytic_kl: bool = True
    ) -> None:
        if particles < 1:
            raise ValueError(f"`particles` must be at least 1; got {particles}.")
        self.particles = particles
        self.vectorize = vectorize
        self.max_plate_nesting = max_plate_nesting
        self.analytic_kl = analytic_kl

    def __call__(self, model: Program, guide: Program | None = None) -> ELBOLoss:
        """Return the loss of a model and a guide (None: maximum likelihood) as a module with their parameters."""
        return ELBOLoss(self, model, guide)


class ELBOLoss(Objective):
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
        super().__init__()
        self.estimator = estimator
        self.model = model
        self.guide = guide
        for name, program in (("model", model), ("guide", guide)):
            owner = getattr(program, "__self__", None)
            if not isinstance(program, nn.Module) and isinstance(owner, nn.Module):
                self.add_module(f"{name}_module", owner)

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Return the loss on one batch: a scalar in nats."""
        estimator = self.estimator
        with module_parameters_only(self):
            if estimator.vectorize and estimator.particles > 1:
                with pyro.plate("particles", estimator.particles, dim=-estimator.max_plate_nesting - 1):
                    loss = self._particle(args, kwargs)
            else:
                loss = self._particle(args, kwargs)
                for _ in range(estimator.particles - 1):
                    loss = loss + self._particle(args, kwargs)
        return loss / estimator.particles if estimator.particles > 1 else loss

    def sites(self, *args: Any, **kwargs: Any) -> tuple[dict[str, Site], dict[str, Site]]:
        """Run guide and model once; return the sites of the model and of the guide, in order."""
        latent: dict[str, Site] = {}
        draws: dict[str, Tensor] = {}
        if self.guide is not None:
            latent, draws = run_program(self.guide, args, kwargs, owned=self._owns)
            draws |= {name: site.value for name, site in latent.items() if not site.observed}
        given = frozenset(name for name, site in latent.items() if site.observed)
        model_sites, _ = run_program(self.model, args, kwargs, draws=draws, observed=given, owned=self._owns)
        _require_match(model_sites, latent, has_guide=self.guide is not None)
        return model_sites, latent

    def _particle(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Tensor:
        model_sites, guide_sites = self.sites(*args, **kwargs)
        self._check_nesting(model_sites)
        exact = _integrable(model_sites, guide_sites) if self.estimator.analytic_kl else frozenset()
        terms = []
        for name, site in model_sites.items():
            posterior = guide_sites.get(name)
            if site.observed or posterior is None:
                terms.append(site.negative_log_prob_sum())
            else:
                terms.append(_divergence(posterior, site, exact=name in exact))
        terms += [_entropy_term(site) for name, site in guide_sites.items() if name not in model_sites]
        return torch.stack(terms).sum() if len(terms) > 2 else sum(terms[1:], terms[0])

    def _owns(self, parameter: nn.Parameter) -> bool:
        return any(parameter is own for own in self.parameters())

    def _check_nesting(self, sites: Mapping[str, Site]) -> None:
        limit = self.estimator.max_plate_nesting + 1
        if not self.estimator.vectorize or self.estimator.particles == 1:
            return
        for site in sites.values():
            if any(frame.dim is not None and -frame.dim > limit for frame in site.frames):
                raise ValueError(
                    f"the site {site.name!r} lies in more plates than `max_plate_nesting={limit - 1}`; raise it in `ELBO(...)`."
                )


def _divergence(posterior: Site, prior: Site, *, exact: bool) -> Tensor:
    """The contribution of one latent to the loss: KL(q || p), or one draw of log q - log p."""
    _require_reparameterized(posterior)
    if len(posterior.fn.event_shape) != len(prior.fn.event_shape):
        raise ValueError(
            f"the site {prior.name!r} has events of shape {tuple(prior.fn.event_shape)} in the model but "
            f"{tuple(posterior.fn.event_shape)} in the guide; use the same plates, and `.to_event` alike."
        )
    if exact and posterior.fn.batch_shape == prior.fn.batch_shape:
        divergence = _exact_divergence(posterior, prior)
        if divergence is not None:
            return divergence
    return posterior.log_prob_sum() + prior.negative_log_prob_sum()


def _exact_divergence(posterior: Site, prior: Site) -> Tensor | None:
    """KL(q || p), weighted and summed over the data, where a closed form is registered."""
    if prior.is_plain() and _weighed_alike(posterior, prior):
        summed = closed_form_divergence(*_coordinates(posterior.fn, prior.fn))
        return None if summed is None else scale_and_mask(summed.sum(), prior.scale, None)
    divergence = closed_form_divergence(posterior.fn, prior.fn)
    return None if divergence is None else _weighted_divergence(posterior, prior, divergence)


def _coordinates(q: Any, p: Any) -> tuple[Any, Any]:
    """Two distributions of independent coordinates, coordinate by coordinate: one sum then serves coordinates and data."""
    independent = pyro.distributions.Independent
    alike = type(q) is type(p) is independent and q.reinterpreted_batch_ndims == p.reinterpreted_batch_ndims
    return (q.base_dist, p.base_dist) if alike and q.event_shape == p.event_shape else (q, p)


def _weighed_alike(posterior: Site, prior: Site) -> bool:
    """Whether log q and log p have the same scale and mask."""
    a, b = posterior.scale, prior.scale
    same_scale = a is b or (not isinstance(a, Tensor) and not isinstance(b, Tensor) and a == b)
    return same_scale and posterior.mask is prior.mask


def _weighted_divergence(posterior: Site, prior: Site, divergence: Tensor) -> Tensor:
    r"""With weights a of log q and b of log p (scale and mask): E[a log q - b log p] = b KL + E[(a - b) log q]."""
    if _weighed_alike(posterior, prior):
        return prior.total(divergence)
    log_q = posterior.log_prob()
    return prior.total(divergence) + posterior.total(log_q) - prior.total(log_q)


def _entropy_term(site: Site) -> Tensor:
    """The contribution of a site that only the guide has: log q."""
    _require_reparameterized(site)
    return site.log_prob_sum()


def _require_reparameterized(site: Site) -> None:
    if site.fn.has_rsample or not torch.is_grad_enabled():
        return
    if site.log_prob().requires_grad:
        raise ValueError(
            f"the guide's site {site.name!r} ({type(site.fn).__name__}) has parameters but is not reparameterized, so the "
            "gradient would miss a term; use a distribution with `has_rsample`, or pyro.infer.TraceGraph_ELBO."
        )


def _integrable(model_sites: Mapping[str, Site], guide_sites: Mapping[str, Site]) -> frozenset[str]:
    """The latents whose KL may be integrated: whatever the model draws before them, the guide draws before them too."""
    position = {name: k for k, name in enumerate(guide_sites)}
    latest, allowed = -1, []
    for name, site in model_sites.items():
        if site.observed or name not in position:
            continue
        if position[name] > latest:
            allowed.append(name)
        latest = max(latest, position[name])
    return frozenset(allowed)


def _require_match(model_sites: Mapping[str, Site], guide_sites: Mapping[str, Site], *, has_guide: bool) -> None:
    if not model_sites:
        raise ValueError("the model has no sample site: nothing to score.")
    missing = [name for name, site in model_sites.items() if not site.observed and name not in guide_sites]
    if missing:
        where = "the guide does not draw them" if has_guide else "there is no guide"
        raise ValueError(f"the model's sites {missing} are latent, but {where}; add them to the guide or observe them.")
    extra = [n for n, s in guide_sites.items() if n not in model_sites and not s.auxiliary]
    if extra:
        raise ValueError(
            f"the guide's sites {extra} are not in the model; mark them infer={{'is_auxiliary': True}} or remove them."
        )
    clash = [n for n, s in guide_sites.items() if n in model_sites and model_sites[n].observed and not s.observed]
    if clash:
        raise ValueError(f"the sites {clash} are observed in the model but drawn in the guide; remove them from the guide.")
