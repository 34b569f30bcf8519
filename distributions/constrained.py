r"""Flows on a support: simplex, interval, positive reals, circle, torus, sphere, rotations, products.

A flow on :math:`\mathbb R^n` becomes one on the support by the map that ``biject_to`` registers for it; a flow that
already ends on the support (circular splines on a torus) is left as it is. The support of the result is exactly the one
asked for, so NUTS, ``AutoNormal`` and ``Predictive`` know where its values live.

The density is taken with respect to: Lebesgue measure on intervals and angles; Lebesgue measure of all but the last coordinate
on the simplex (torch's convention); surface area on the sphere; Haar measure, normalized, on rotation matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.distributions import Distribution, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors import Bijector, Compose, ToSupport
from probgen.distributions.constraints import Circular, RotationMatrix, UnitSphere, core_constraint, is_real
from probgen.distributions.standard import StandardNormal, StandardUniform
from probgen.distributions.transformed import TransformedDistribution
from probgen.distributions.uniform import UniformRotation, UniformSphere

__all__ = ["default_base", "flow_on"]


def flow_on(
    support: Constraint,
    bijector: Bijector,
    event_shape: Sequence[int] | None = None,
    *,
    base: Distribution | None = None,
) -> TransformedDistribution:
    r"""A flow whose support is the given constraint.

    Args:
        support: A constraint that ``biject_to`` knows, or one on which ``bijector`` already ends.
        bijector: The flow, on the reals or on the support.
        event_shape: Shape of one draw on the support; None if the bijector fixes its own shape.
        base: Base distribution; by default standard normal on real domains and uniform on bounded ones.

    Raises:
        ValueError: the bijector ends neither on the reals nor on the support, or the event shape is not known.

    References:
        Gemici, Rezende, Mohamed (2016). Normalizing flows on Riemannian manifolds. https://arxiv.org/abs/1611.02304

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions import flow_on
        >>> from probgen.distributions.bijectors import Affine
        >>> d = flow_on(constraints.simplex, Affine(shape=(2,)), event_shape=(3,))
        >>> d.support, d.sample((5,)).sum(-1)
        (Simplex(), tensor([1., 1., 1., 1., 1.]))
    """
    codomain = bijector.codomain
    if is_real(codomain) and not is_real(support):
        bijector = Compose(bijector, ToSupport(support))
    elif repr(core_constraint(codomain)) != repr(core_constraint(support)):
        raise ValueError(f"`bijector` must end on the reals or on {support}; its codomain is {codomain}.")
    if base is None:
        base = default_base(bijector, event_shape)
    return TransformedDistribution(base, bijector)


def default_base(bijector: Bijector, event_shape: Sequence[int] | None = None) -> Distribution:
    """The distribution without parameters on a bijector's domain: standard normal, or uniform if it is bounded or a manifold.

    Args:
        bijector: The bijector.
        event_shape: Shape of one draw after the bijector; None if the bijector fixes its own shape.

    Raises:
        ValueError: the shape is not known, or the domain has no such distribution.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.constrained import default_base
        >>> default_base(Exp(), (2,))
        StandardNormal(event_shape=(2,), batch_shape=())
    """
    shape = bijector.domain_shape if event_shape is None else bijector.inverse_shape(tuple(event_shape))
    if shape is None:
        if bijector.domain.event_dim or bijector.codomain.event_dim:
            raise ValueError("`event_shape` must be given: the bijector works for any.")
        shape = ()
    domain = core_constraint(bijector.domain)
    if is_real(domain):
        return StandardNormal(shape)
    if isinstance(domain, UnitSphere) and len(shape) == 1:
        return UniformSphere(shape[0] - 1)
    if isinstance(domain, RotationMatrix) and len(shape) == 2:
        return UniformRotation()
    if isinstance(domain, Circular):
        return StandardUniform(shape, low=-math.pi, high=math.pi, support=domain)
    if isinstance(domain, type(constraints.unit_interval)):
        low, high = domain.lower_bound, domain.upper_bound
        if not isinstance(low, torch.Tensor) and not isinstance(high, torch.Tensor):
            return StandardUniform(shape, low=float(low), high=float(high))
    raise ValueError(f"`base` must be given: no default on {bijector.domain}.")
