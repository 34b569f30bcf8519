r"""Flows on the sphere, on the rotations of space and on the simplex.

A layer on a sphere turns it, goes to spherical coordinates, moves every coordinate by a spline given the others, and comes
back; on rotations Euler's angles take the place of spherical coordinates. The networks see angles as :math:`(\cos, \sin)`. A
map of this kind takes the manifold to itself, so its base is the uniform law there. The density is exact; at the poles of a
layer (a set of measure zero) it may jump and angles are not unique, so a last rotation keeps poles away from points that data
like, as the identity. The derivation stands in ``docs/derivations/flow-manifolds.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from torch import nn

from probgen.distributions.bijectors import (
    Bijector,
    CircularSpline,
    Compose,
    EulerAngles,
    ProductCoupling,
    RationalQuadraticSpline,
    RotationProduct,
    SphereRotation,
    SphericalCoordinates,
    StickBreaking,
    embedding_size,
)
from probgen.distributions.constraints import Circular, Product
from probgen.flows.spline_coupling import neural_spline_coupling
from probgen.nn import MLP

__all__ = ["rotation_flow", "simplex_flow", "sphere_flow"]


def sphere_flow(
    dim: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 4,
    bins: int = 8,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = nn.SiLU,
) -> Bijector:
    r"""A flow on the sphere :math:`S^d`, by the recursion of Rezende et al. (2020).

    Args:
        dim: Dimension of the sphere, at least 1; events have ``dim + 1`` coordinates.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many layers; each moves every coordinate once.
        bins: Bins of each spline.
        hidden: Widths of the networks' hidden layers.
        activation: Makes the networks' activation.

    Returns:
        A bijector of the sphere, exact and fast both ways: ``flow_on(unit_sphere, sphere_flow(2))`` has the uniform law as
        its base.

    Raises:
        ValueError: ``dim`` or ``layers`` is not positive.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions import flow_on
        >>> from probgen.distributions.constraints import unit_sphere
        >>> from probgen.flows import sphere_flow
        >>> d = flow_on(unit_sphere, sphere_flow(2, layers=2, hidden=(16,)))
        >>> d.support, bool((d.sample((5,)).norm(dim=-1) - 1).abs().max() < 1e-5)
        (UnitSphere(), True)
    """
    if dim < 1 or layers < 1:
        raise ValueError(f"`dim` and `layers` must be positive; got {dim} and {layers}.")
    parts: list[Bijector] = []
    for _ in range(layers):
        chart = SphericalCoordinates(dim)
        couplings = _couplings(cast(Product, chart.domain), context_shape, bins, hidden, activation)
        parts += [SphereRotation(dim + 1), chart.inv, *couplings, chart]
    return Compose(*parts, SphereRotation(dim + 1))


def rotation_flow(
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 4,
    bins: int = 8,
    hidden: Sequence[int] = (64, 64),
    activation: Callable[[], nn.Module] = nn.SiLU,
) -> Bijector:
    r"""A flow on the rotations of space, SO(3), as 3 x 3 matrices.

    Args:
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many layers; each moves every one of Euler's angles once.
        bins: Bins of each spline.
        hidden: Widths of the networks' hidden layers.
        activation: Makes the networks' activation.

    Returns:
        A bijector of rotation matrices, exact and fast both ways; densities are with respect to normalized Haar measure:
        ``flow_on(rotation_matrix, rotation_flow())`` has the uniform law as its base.

    Raises:
        ValueError: ``layers`` is not positive.

    References:
        Falorsi, de Haan, Davidson, Forré (2019). Reparameterizing distributions on Lie groups. https://arxiv.org/abs/1903.02958

    Example:
        >>> import torch
        >>> from probgen.distributions import flow_on
        >>> from probgen.distributions.constraints import rotation_matrix
        >>> from probgen.flows import rotation_flow
        >>> d = flow_on(rotation_matrix, rotation_flow(layers=2, hidden=(16,)))
        >>> d.support, d.sample((5,)).shape
        (RotationMatrix(), torch.Size([5, 3, 3]))
    """
    if layers < 1:
        raise ValueError(f"`layers` must be positive; got {layers}.")
    parts: list[Bijector] = []
    for _ in range(layers):
        chart = EulerAngles()
        couplings = _couplings(chart.domain, context_shape, bins, hidden, activation)
        parts += [RotationProduct(start="rotation"), chart.inv, *couplings, chart]
    return Compose(*parts, RotationProduct(start="rotation"))


def simplex_flow(
    features: int,
    *,
    context_shape: Sequence[int] | None = None,
    layers: int = 8,
    bins: int = 8,
    hidden: Sequence[int] = (128, 128),
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> Bijector:
    r"""A flow onto the simplex: a neural spline flow in ``features - 1`` coordinates, then stick-breaking.

    Args:
        features: How many proportions, at least 2; they are positive and sum to one.
        context_shape: Trailing shape of the context, None if there is none.
        layers: How many coupling layers.
        bins: Bins of each spline.
        hidden: Widths of the networks' hidden layers.
        activation: Makes the networks' activation.

    Returns:
        A bijector from :math:`\mathbb R^{n-1}` onto the simplex; densities are with respect to all but the last proportion, as
        those of torch's Dirichlet law. Its base is ``standard_normal(features - 1)``.

    Raises:
        ValueError: ``features`` is less than 2.

    Example:
        >>> import torch
        >>> from probgen.distributions import flow_on
        >>> from probgen.flows import simplex_flow
        >>> d = flow_on(torch.distributions.constraints.simplex, simplex_flow(3, layers=2, hidden=(16,)))
        >>> d.sample((4,)).sum(-1)
        tensor([1., 1., 1., 1.])
    """
    if features < 2:
        raise ValueError(f"`features` must be at least 2; got {features}.")
    flow = neural_spline_coupling(
        features - 1, context_shape=context_shape, layers=layers, bins=bins, hidden=hidden, activation=activation
    )
    return flow >> StickBreaking()


def _couplings(
    domain: Product,
    context_shape: Sequence[int] | None,
    bins: int,
    hidden: Sequence[int],
    activation: Callable[[], nn.Module],
) -> list[Bijector]:
    """One coupling for each coordinate, a spline of its circle or interval."""
    width = 0 if context_shape is None else math.prod(context_shape)
    result: list[Bijector] = []
    for index, factor in enumerate(domain.factors):
        element = (
            CircularSpline(bins) if isinstance(factor, Circular) else RationalQuadraticSpline(bins, interval=(0.0, math.pi))
        )
        network = MLP(embedding_size(domain, index) + width, element.num_free, hidden=hidden, activation=activation)
        result.append(ProductCoupling(element, network, domain, index, context_shape=context_shape))
    return result
