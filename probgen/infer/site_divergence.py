r"""The divergence of one latent site, :math:`\mathrm{KL}(q \,\|\, p)` in closed form where it may be integrated, else its draw.

A site's KL term may be integrated if every latent that the model draws before :math:`z_i` is also drawn before it in the guide:
then nothing that the model's factor of :math:`z_i` depends on is itself a function of :math:`z_i`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyro.distributions import Independent
from torch import Tensor

from probgen.distributions.events import coordinates
from probgen.distributions.latent import closed_form_divergence, divergence_at
from probgen.distributions.standard import StandardNormal
from probgen.infer.trace import Site, scale_and_mask

__all__ = ["divergence_sum", "divergence_terms", "integrable"]


def integrable(model_sites: Mapping[str, Site], guide_sites: Mapping[str, Site]) -> frozenset[str]:
    """The latents whose KL may be integrated: whatever the model draws before them, the guide draws before them too.

    Args:
        model_sites: In the order of the model.
        guide_sites: In the order of the guide.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.infer.site_divergence import integrable
        >>> from probgen.infer.trace import Site
        >>> site = lambda name: Site(name, dist.Normal(0.0, 1.0), torch.zeros(()), False, 1.0, None, False, ())
        >>> model, guide = {n: site(n) for n in "ab"}, {n: site(n) for n in "ba"}
        >>> sorted(integrable(model, model)), sorted(integrable(model, guide))
        (['a', 'b'], ['a'])
    """
    position = {name: k for k, name in enumerate(guide_sites)}
    latest, allowed = -1, []
    for name, site in model_sites.items():
        if site.observed or name not in position:
            continue
        if position[name] > latest:
            allowed.append(name)
        latest = max(latest, position[name])
    return frozenset(allowed)


def divergence_sum(posterior: Site, prior: Site, *, exact: bool) -> Tensor:
    """The contribution of one latent to the loss, scaled, masked and summed over the data: a scalar in nats.

    Args:
        posterior: The guide's site.
        prior: The model's.
        exact: Whether the KL may be integrated.

    Raises:
        ValueError: the two sites have other event shapes.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.infer.site_divergence import divergence_sum
        >>> from probgen.infer.trace import Site
        >>> site = lambda law: Site("z", law, torch.zeros(()), False, 2.0, None, False, ())
        >>> divergence_sum(site(dist.Normal(1.0, 1.0)), site(dist.Normal(0.0, 1.0)), exact=True)
        tensor(1.)
    """
    _require_same_events(posterior, prior)
    if exact and posterior.fn.batch_shape == prior.fn.batch_shape:
        divergence = _exact_divergence(posterior, prior)
        if divergence is not None:
            return divergence
    return posterior.log_prob_sum() + prior.negative_log_prob_sum()


def divergence_terms(posterior: Site, prior: Site, *, exact: bool, per_unit: bool = False) -> Tensor:
    """The divergence of every datum ``[*batch]``, or of every coordinate ``[*batch, *event]``, neither scaled nor masked.

    Args:
        posterior: The guide's site.
        prior: The model's.
        exact: Whether the KL may be integrated.
        per_unit: Coordinate by coordinate; both laws must have independent coordinates.

    Raises:
        ValueError: the two sites have other event shapes or weights, or coordinates that are not independent.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.infer.site_divergence import divergence_terms
        >>> from probgen.infer.trace import Site
        >>> site = lambda loc: Site("z", dist.Normal(loc, 1.0).to_event(1), torch.zeros(2), False, 1.0, None, False, ())
        >>> divergence_terms(site(torch.ones(2)), site(torch.zeros(2)), exact=True, per_unit=True)
        tensor([0.5000, 0.5000])
    """
    _require_same_events(posterior, prior)
    if not _weighed_alike(posterior, prior):
        raise ValueError(f"the site {prior.name!r} has other scales or masks in the guide than in the model; use the same.")
    q, p = posterior.fn, prior.fn
    if per_unit:
        q, p = coordinates(q), coordinates(p)
        if q is None or p is None:
            kind = type(posterior.fn if q is None else prior.fn).__name__
            raise ValueError(
                f"the divergence of the site {prior.name!r} has no terms for single coordinates: those of its {kind} are not "
                "known to be independent; use per='site'."
            )
    return divergence_at(q, p, posterior.value, closed_form=exact and q.batch_shape == p.batch_shape)


def _require_same_events(posterior: Site, prior: Site) -> None:
    if len(posterior.fn.event_shape) != len(prior.fn.event_shape):
        raise ValueError(
            f"the site {prior.name!r} has events of shape {tuple(prior.fn.event_shape)} in the model but "
            f"{tuple(posterior.fn.event_shape)} in the guide; use the same plates, and `.to_event` alike."
        )


def _exact_divergence(posterior: Site, prior: Site) -> Tensor | None:
    """KL(q || p), weighted and summed over the data, where a closed form is registered."""
    if prior.is_plain() and _weighed_alike(posterior, prior):
        summed = closed_form_divergence(*_coordinates(posterior.fn, prior.fn))
        return None if summed is None else scale_and_mask(summed.sum(), prior.scale, None)
    divergence = closed_form_divergence(posterior.fn, prior.fn)
    return None if divergence is None else _weighted_divergence(posterior, prior, divergence)


def _coordinates(q: Any, p: Any) -> tuple[Any, Any]:
    """Two distributions of independent coordinates, coordinate by coordinate: one sum then serves coordinates and data."""
    if type(q) is not Independent or q.event_shape != p.event_shape:
        return (q, p)
    if type(p) is Independent and q.reinterpreted_batch_ndims == p.reinterpreted_batch_ndims:
        return (q.base_dist, p.base_dist)
    if type(p) is StandardNormal and not q.base_dist.event_shape:
        return (q.base_dist, p.coordinates())
    return (q, p)


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
