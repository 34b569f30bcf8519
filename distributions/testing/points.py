r"""Points of a set, made from unconstrained numbers.

A test point of a constrained set is :math:`x = b(u)`, where :math:`b` is torch's ``biject_to(constraint)`` and :math:`u` is
drawn from :math:`N(0, s^2)` with a few exact values put in (zero, subnormal numbers, knots, bounds, far tails). Nothing is
filtered, so the points cover what they claim to cover. A ``Draw`` holds the few numbers from which a whole batch is made: it
prints in one line, reproduces the batch, and shrinks to a simple one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Transform, biject_to, transform_to
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import core_constraint, is_real

__all__ = ["Draw", "chart_of", "is_flat", "near_an_end", "points_in", "unconstrained"]


@dataclass(frozen=True)
class Draw:
    """The recipe of one batch of test points.

    Attributes:
        seed: Seed of the normal numbers.
        scale: Their standard deviation.
        special: Exact unconstrained values that replace the first of them, spread over the batch.
        decimals: Round to so many decimals (simple numbers, exact knots); None: don't.
        count: Points in the batch.

    Example:
        >>> from probgen.distributions.testing import Draw
        >>> Draw(seed=1, scale=3.0, special=(30.0,))
        Draw(seed=1, scale=3.0, special=(30.0,), decimals=None, count=8)
    """

    seed: int = 0
    scale: float = 1.0
    special: tuple[float, ...] = ()
    decimals: int | None = None
    count: int = 8


def unconstrained(draw: Draw, shape: Sequence[int]) -> Tensor:
    """The float64 numbers that a draw stands for.

    Args:
        draw: The recipe.
        shape: Shape of the result.

    Example:
        >>> from probgen.distributions.testing import Draw, unconstrained
        >>> unconstrained(Draw(scale=0.0, special=(7.0,)), (3,))
        tensor([7., 0., 0.], dtype=torch.float64)
    """
    generator = torch.Generator().manual_seed(draw.seed)
    u = draw.scale * torch.randn(tuple(shape), generator=generator, dtype=torch.float64)
    if draw.decimals is not None:
        u = u.mul(10**draw.decimals).round().div(10**draw.decimals)
    flat = u.reshape(-1)
    for index, value in enumerate(draw.special[: flat.numel()]):
        flat[(index * 7) % flat.numel()] = value
    return u


def points_in(
    constraint: Constraint, event_shape: Sequence[int], batch: Sequence[int], draw: Draw, dtype: torch.dtype
) -> Tensor:
    """Points ``[*batch, *event_shape]`` that satisfy ``constraint``.

    Args:
        constraint: A torch constraint that ``biject_to`` knows, or the unit sphere.
        event_shape: Shape of one constrained event.
        batch: Leading shape.
        draw: The recipe.
        dtype: Floating-point type of the result.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing import Draw, points_in
        >>> x = points_in(constraints.simplex, (3,), (5,), Draw(), torch.float32)
        >>> bool(constraints.simplex.check(x).all())
        True
    """
    core = core_constraint(constraint)
    if is_real(core):
        return unconstrained(draw, (*batch, *event_shape)).to(dtype)
    if _is_sphere(core):
        u = unconstrained(draw, (*batch, *event_shape)) + 1e-3
        length: Tensor = u.norm(dim=-1, keepdim=True)
        return (u / length).to(dtype)
    chart = chart_of(constraint)
    shape = chart.inverse_shape(torch.Size((*batch, *event_shape)))
    limit = 8.0 if dtype == torch.float32 else 15.0
    u = unconstrained(draw, shape).clamp(-limit, limit).to(dtype)
    return cast(Tensor, chart(u))


def chart_of(constraint: Constraint) -> Transform:
    """The map from unconstrained numbers onto a set: ``biject_to``, or ``transform_to`` where only that is registered.

    Args:
        constraint: Any torch constraint that one of the two registries knows.

    Raises:
        NotImplementedError: neither does.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing.points import chart_of
        >>> chart_of(constraints.lower_cholesky)
        LowerCholeskyTransform()
    """
    try:
        return cast(Transform, biject_to(constraint))
    except NotImplementedError:
        return cast(Transform, transform_to(constraint))


def _is_sphere(constraint: Constraint) -> bool:
    return "sphere" in type(constraint).__name__.lower()


def is_flat(constraint: Constraint) -> bool:
    """Whether the set is an open part of a Euclidean space in the coordinates in which it is written.

    False for the simplex, spheres and triangular, correlation or positive definite matrices: there the coordinates depend on
    one another, and a Jacobian must be taken in free coordinates.

    Args:
        constraint: Any constraint.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing import is_flat
        >>> is_flat(constraints.positive), is_flat(constraints.simplex)
        (True, False)
    """
    core = core_constraint(constraint)
    return is_real(core) or not (core.event_dim > 0 or _is_sphere(core))


def near_an_end(constraint: Constraint, value: Tensor, width: Tensor | float) -> Tensor:
    """Which numbers lie within ``width`` of an end of a set of numbers (an interval, a half-line).

    Near an end where floating-point numbers are coarse, a value says little about what it was computed from.

    Args:
        constraint: The set, perhaps with reinterpreted batch dimensions; nothing is near an end of any other kind of set.
        value: Members.
        width: Distance, broadcastable.

    Returns:
        Booleans, the shape of ``value``.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing.points import near_an_end
        >>> near_an_end(constraints.unit_interval, torch.tensor([0.5, 0.999]), 0.01)
        tensor([False,  True])
    """
    core = core_constraint(constraint)
    if core.event_dim > 0 or is_real(core) or core.is_discrete:
        return torch.zeros_like(value, dtype=torch.bool)
    inside: Tensor = core.check(value - width) & core.check(value + width)
    return ~inside
