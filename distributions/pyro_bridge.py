r"""What registers our classes with torch and Pyro: entries for ours only, nothing of theirs is changed.

* Every ``Bijector`` counts as a Pyro ``ConditionalTransform``, so one that takes a context stands in Pyro's
  ``ConditionalTransformedDistribution``. A list there may mix in bijectors without context by composing them (``f >> g``).
* ``biject_to`` and ``transform_to`` know our constraints, so NUTS and automatic guides work on sites with such a support.
* ``kl_divergence`` knows the standard normal and flows that share one bijector object: the Kullback-Leibler divergence is
  invariant under a bijection, :math:`\mathrm{KL}(f_\sharp p \,\|\, f_\sharp q) = \mathrm{KL}(p \,\|\, q)`.
"""

from __future__ import annotations

import math

import torch
from pyro.distributions.conditional import ConditionalTransform
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    MultivariateNormal,
    Normal,
    Transform,
    biject_to,
    constraints,
    kl_divergence,
    register_kl,
    transform_to,
)

from probgen.distributions.bijectors import Bijector, CayleyRotation, Concat, Conditioned, Stereographic, ToSupport
from probgen.distributions.constraints import Circular, Product, RotationMatrix, UnitSphere
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.distributions.standard import StandardNormal
from probgen.distributions.transformed import TransformedDistribution

__all__: list[str] = []


def _reals_to_circle(constraint: Circular) -> Transform:
    transform: Transform = biject_to(constraints.interval(-math.pi, math.pi))
    return transform


def _reals_to_sphere(constraint: UnitSphere) -> Transform:
    return Stereographic()


def _reals_to_rotations(constraint: RotationMatrix) -> Transform:
    return CayleyRotation()


def _reals_to_product(constraint: Product) -> Transform:
    parts = [ToSupport(factor) for factor in constraint.factors]
    sizes = [part.inverse_shape((size,))[-1] for part, size in zip(parts, constraint.sizes, strict=True)]
    return Concat(*parts, sizes=sizes)


def _kl_standard(p: StandardNormal, q: StandardNormal) -> Tensor:
    return torch.zeros(torch.broadcast_shapes(p.batch_shape, q.batch_shape), dtype=p.dtype, device=p.device)


def _kl_normal_standard(p: Normal, q: StandardNormal) -> Tensor:
    if q.event_shape:
        raise NotImplementedError(f"the event shapes () and {tuple(q.event_shape)} differ.")
    return 0.5 * (p.loc.square() + p.scale.square() - 1) - p.scale.log()


def _kl_independent_standard(p: Independent[Distribution], q: StandardNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(f"the event shapes {tuple(p.event_shape)} and {tuple(q.event_shape)} differ.")
    inner = p.base_dist
    shape = inner.event_shape
    terms = kl_divergence(inner, StandardNormal(shape, inner.batch_shape))
    return sum_rightmost(terms, p.reinterpreted_batch_ndims)


def _kl_multivariate_standard(p: MultivariateNormal, q: StandardNormal) -> Tensor:
    scale = p._unbroadcasted_scale_tril
    trace = sum_rightmost(scale.square(), 2)
    half_log_det = scale.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return 0.5 * (trace + p.loc.square().sum(-1) - p.loc.shape[-1]) - half_log_det


def _kl_shared_bijector(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if not _same_map(p.bijector, q.bijector):
        raise NotImplementedError("no closed form: the two distributions do not share one bijector.")
    base_p, base_q = p.base_dist, q.base_dist
    if base_p.event_shape != base_q.event_shape:
        raise NotImplementedError("no closed form: the two bases have different event shapes.")
    return kl_divergence(base_p, base_q)


def _same_map(f: Bijector, g: Bijector) -> bool:
    """Whether the two are one object, also through a shared bound context."""
    if isinstance(f, Conditioned) and isinstance(g, Conditioned):
        return f.base == g.base and f.context is g.context
    return f == g


ConditionalTransform.register(Bijector)
for _registry in (biject_to, transform_to):
    _registry.register(Circular, _reals_to_circle)
    _registry.register(UnitSphere, _reals_to_sphere)
    _registry.register(RotationMatrix, _reals_to_rotations)
    _registry.register(Product, _reals_to_product)
register_kl(StandardNormal, StandardNormal)(_kl_standard)
register_kl(Normal, StandardNormal)(_kl_normal_standard)
register_kl(Independent, StandardNormal)(_kl_independent_standard)
register_kl(MultivariateNormal, StandardNormal)(_kl_multivariate_standard)
register_kl(TransformedDistribution, TransformedDistribution)(_kl_shared_bijector)
