r"""Kullback–Leibler divergences in closed form, where there are any.

For normal laws with independent coordinates, :math:`q = \mathcal N(m, \operatorname{diag} s^2)` and
:math:`p = \mathcal N(\mu, \operatorname{diag} \sigma^2)`,

.. math::

    \mathrm{KL}(q \,\|\, p) = \sum_j \Bigl[ \log \frac{\sigma_j}{s_j} + \frac{s_j^2 + (m_j - \mu_j)^2}{2 \sigma_j^2} - \frac12
    \Bigr];

other pairs are looked up in torch's table, in which this library registers its own laws.
"""

from __future__ import annotations

from typing import Any

import pyro.distributions as dist
from torch import Tensor
from torch.distributions.kl import kl_divergence

from probgen.distributions.events import coordinates, scored

__all__ = ["closed_form_divergence", "coordinate_divergences", "divergence_at"]


def closed_form_divergence(q: Any, p: Any) -> Tensor | None:
    """KL(q || p) in nats, of the shape of ``q``'s batch, where a closed form is registered, else None.

    Pyro's divergence of a point mass leaves out its ``log_density``, which carries the log-determinant in the automatic guides;
    it counts as not registered.

    Args:
        q: A distribution with events of the shape of ``p``'s.
        p: A distribution.

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import closed_form_divergence
        >>> closed_form_divergence(dist.Normal(1.0, 1.0), dist.Normal(0.0, 1.0))
        tensor(0.5000)
        >>> closed_form_divergence(dist.Normal(1.0, 1.0), dist.StudentT(3.0)) is None
        True
    """
    if _is_point_mass(q):
        return None
    if isinstance(q, dist.Independent) and isinstance(p, dist.Independent) and not q.batch_shape.numel():
        each = closed_form_divergence(q.base_dist, p.base_dist)  # torch's sum over an event refuses to sum nothing
        rank = q.reinterpreted_batch_ndims
        return each if each is None or not rank else each.sum(tuple(range(-rank, 0)))
    try:
        divergence: Any = kl_divergence(q, p)
    except NotImplementedError:
        return None
    return divergence if isinstance(divergence, Tensor) and divergence.shape == q.batch_shape else None


def divergence_at(q: Any, p: Any, z: Tensor, *, closed_form: bool = True) -> Tensor:
    r"""KL(q || p) where it is known, else the draw :math:`\log q(z) - \log p(z)`, whose expectation under q it is.

    Args:
        q: The law that z was drawn from.
        p: The law that it is compared with.
        z: Draws ``[*sample, *batch, *event]``.
        closed_form: Whether to look for a closed form.

    Returns:
        Shape ``[*batch]`` of ``q`` from a closed form, else ``[*sample, *batch]``, in nats.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions.latent import divergence_at
        >>> q, p = dist.Normal(1.0, 1.0), dist.Normal(0.0, 1.0)
        >>> divergence_at(q, p, torch.tensor(2.0)), divergence_at(q, p, torch.tensor(2.0), closed_form=False)
        (tensor(0.5000), tensor(1.5000))
    """
    known = closed_form_divergence(q, p) if closed_form else None
    ratio: Tensor = scored(q, z) - scored(p, z) if known is None else known
    return ratio


def coordinate_divergences(q: Any, p: Any, z: Tensor, *, closed_form: bool = True) -> Tensor | None:
    """What :func:`divergence_at` gives for every coordinate of an event, or None where coordinates may depend on each other.

    Args:
        q: The law that z was drawn from.
        p: The law that it is compared with.
        z: Draws ``[*sample, *batch, *event]``.
        closed_form: Whether to look for a closed form.

    Returns:
        Shape ``[*batch, *event]`` from a closed form, else ``[*sample, *batch, *event]``, in nats; summed over the event it is
        the divergence.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.latent.divergence import coordinate_divergences
        >>> coordinate_divergences(dist.Normal(torch.tensor([1.0, 0.0]), 1.0).to_event(1), standard_normal(2), torch.zeros(2))
        tensor([0.5000, 0.0000])
    """
    q_each, p_each = coordinates(q), coordinates(p)
    return None if q_each is None or p_each is None else divergence_at(q_each, p_each, z, closed_form=closed_form)


def _is_point_mass(law: Any) -> bool:
    while not isinstance(law, dist.Delta):
        law = getattr(law, "base_dist", None)
        if law is None:
            return False
    return True
