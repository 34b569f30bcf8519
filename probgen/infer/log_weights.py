r"""Importance weights of every datum, from the sites of a model and a guide.

.. math:: \log w_{kn} = \log p(x_n, z_{kn}) - \log q(z_{kn} \mid x_n), \qquad k = 1, \dots, K.

A bound with a logarithm outside an average over k (IWAE, Rényi) is a sum over *data* n of such logarithms, so it has to be
known what a datum is. Data are counted by the plates that *every* site lies in; without such a plate, by the batch
dimensions that all sites have in common and no plate declares. A latent that all data share, outside of the plate, makes
everything one datum. Terms over all other dimensions are summed first; masked terms are zero, so that a masked datum, with
:math:`w = 1`, adds nothing.

The scale N/B of a sub-sampled plate of data multiplies the *bound*, not the log-weights: :math:`\log \frac1K \sum_k
w_k^c` is no bound of :math:`c \log p(x)`. A sub-sampled plate that does not count data, or a ``poutine.scale`` around
some sites only, would leave a power of w inside the logarithm, and is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import torch
from torch import Tensor

from probgen.infer.trace import Site, scale_and_mask
from probgen.infer.variational import PLATE, Particles

__all__ = ["LogWeights", "log_weights"]


class LogWeights(NamedTuple):
    """Logarithms of importance weights and their two parts, in nats.

    All have shape ``[K, *aligned]``: data stand in the batch dimensions of the programs that count them, the others have
    length one, so that the values broadcast with the terms of every site.

    Attributes:
        log_joint: log p(x, z).
        log_guide: log q(z | x).
        dims: Which batch dimensions count data, as negative numbers.
        scale: What the bounds of all data are multiplied by, N/B.

    Example:
        >>> import torch
        >>> from probgen.infer.log_weights import LogWeights
        >>> weights = LogWeights(torch.zeros(3, 1, 5), torch.zeros(3, 1, 5), (-1,), 2.0)
        >>> weights.per_datum().shape, weights.total(torch.ones(1, 5))
        (torch.Size([3, 5]), tensor(10.))
    """

    log_joint: Tensor
    log_guide: Tensor
    dims: tuple[int, ...]
    scale: float | Tensor

    @property
    def value(self) -> Tensor:
        """Log w."""
        return self.log_joint - self.log_guide

    def per_datum(self) -> Tensor:
        """Log w of shape ``[K, *data]``."""
        value = self.value
        return value.reshape(len(value), *[value.shape[dim] for dim in self.dims])

    def normalized(self) -> Tensor:
        """Weights that sum to one over the particles, as constants: ``[K, *aligned]``."""
        return torch.softmax(self.value.detach(), 0)

    def total(self, bound: Tensor) -> Tensor:
        """Sum a term of every datum, ``[*aligned]``, with the scale of the data: a scalar."""
        return scale_and_mask(bound, self.scale, None).sum()

    @classmethod
    def stacked(cls, passes: Sequence[Self]) -> Self:
        """Put the particles of several passes together."""
        if len(passes) == 1:
            return passes[0]
        joint, guide = torch.cat([one.log_joint for one in passes]), torch.cat([one.log_guide for one in passes])
        return cls(joint, guide, passes[0].dims, passes[0].scale)


def log_weights(
    model_sites: Mapping[str, Site], guide_sites: Mapping[str, Site], particles: Particles | None = None
) -> LogWeights:
    """The log-weights of one pass of guide and model.

    Args:
        model_sites: Sites of the model, run with the guide's draws.
        guide_sites: Sites of the guide.
        particles: Whether particles stand in a dimension of the pass; by default there is one particle.

    Raises:
        ValueError: a plate that does not count data is sub-sampled, some sites are scaled unlike others, or the sites have
            more batch dimensions than ``particles`` declares.

    Example:
        >>> import pyro, torch
        >>> import pyro.distributions as dist
        >>> from probgen.infer.log_weights import log_weights
        >>> from probgen.infer.trace import run_program
        >>> def model(x):
        ...     with pyro.plate("data", len(x)):
        ...         pyro.sample("x", dist.Normal(torch.zeros(2), 1.0).to_event(1), obs=x)
        >>> sites, _ = run_program(model, (torch.zeros(3, 2),), {})
        >>> log_weights(sites, {}).per_datum()
        tensor([[-1.8379, -1.8379, -1.8379]])
    """
    particles = particles or Particles()
    posterior = {n: site for n, site in guide_sites.items() if not (site.observed and n in model_sites)}
    terms = [_terms(sites) for sites in (model_sites, posterior)]
    sites = [*model_sites.values(), *posterior.values()]
    every = [*terms[0], *terms[1]]
    _require_room(sites, every, particles)
    shared = _shared_plates(sites)
    scale = _common_scale(sites, {name for name, _ in shared})
    dims = tuple(sorted(dim for _, dim in shared)) or _common_dims(sites, every, particles.dim)
    kept = dims if particles.dim is None else (particles.dim, *dims)
    joint = _sum(terms[0], kept)
    joint, guide = torch.broadcast_tensors(joint, _sum(terms[1], kept) if terms[1] else torch.zeros_like(joint))
    if particles.dim is None:
        joint, guide = joint.unsqueeze(0), guide.unsqueeze(0)
    return LogWeights(joint, guide, dims, scale)


def _terms(sites: Mapping[str, Site]) -> list[Tensor]:
    """The masked log-densities of every site, of the shape of its batch."""
    return [scale_and_mask(site.log_prob(), 1.0, site.mask) for site in sites.values()]


def _sum(terms: Iterable[Tensor], kept: tuple[int, ...]) -> Tensor:
    """Sum every term over the dimensions that are not kept (their length is one afterwards), then the terms."""
    reduced = []
    for term in terms:
        others = [dim for dim in range(-term.dim(), 0) if dim not in kept and term.shape[dim] != 1]
        reduced.append(term.sum(others, keepdim=True) if others else term)
    return sum(reduced[1:], reduced[0])


def _shared_plates(sites: Sequence[Site]) -> set[tuple[str, int]]:
    """Name and dimension of the plates that every site lies in, without that of the particles."""
    plates = [{(f.name, f.dim) for f in site.frames if f.dim is not None and f.name != PLATE} for site in sites]
    return set.intersection(*plates)


def _common_dims(sites: Sequence[Site], terms: Sequence[Tensor], particle_dim: int | None) -> tuple[int, ...]:
    """Batch dimensions of one length at all sites that no plate declares."""
    declared = {frame.dim for site in sites for frame in site.frames} | {particle_dim}
    rank = min(term.dim() for term in terms)
    lengths = {dim: {term.shape[dim] for term in terms} for dim in range(-rank, 0)}
    return tuple(dim for dim, found in lengths.items() if dim not in declared and len(found) == 1)


def _common_scale(sites: Sequence[Site], shared: set[str]) -> float | Tensor:
    """What every site is scaled by."""
    for site in sites:
        inner = [f for f in site.frames if f.name not in shared and f.name != PLATE]
        part = next((f for f in inner if f.full_size is not None and f.full_size != f.size), None)
        if part is not None:
            raise ValueError(
                f"the plate {part.name!r} around the site {site.name!r} is sub-sampled ({part.size} of "
                f"{part.full_size}) but does not hold every site, so its scale would stand inside the logarithm, which "
                "gives no bound; give every datum latents of its own inside that plate, or use infer.ELBO."
            )
        if not _same_scale(site.scale, sites[0].scale):
            raise ValueError(
                f"the sites {sites[0].name!r} and {site.name!r} are scaled by {sites[0].scale} and {site.scale}; a scale "
                "inside the logarithm gives no bound: put poutine.scale around both programs with one number, or use "
                "`kl_weight` of infer.ELBO."
            )
    return sites[0].scale


def _same_scale(a: float | Tensor, b: float | Tensor) -> bool:
    if isinstance(a, Tensor) or isinstance(b, Tensor):
        return a is b
    return math.isclose(a, b, rel_tol=1e-9)


def _require_room(sites: Sequence[Site], terms: Sequence[Tensor], particles: Particles) -> None:
    """Refuse terms whose batch reaches beyond the dimension of the particles."""
    if particles.dim is None:
        return
    for site, term in zip(sites, terms, strict=True):
        if term.dim() > -particles.dim:
            raise ValueError(
                f"the site {site.name!r} has the batch shape {tuple(term.shape)} with the particles, more than "
                f"`max_plate_nesting={particles.max_plate_nesting}` allows; raise it."
            )
