r"""Constraints that torch lacks: the circle, the torus, the unit sphere, rotation matrices and products of constraints.

* *circular*: angles in :math:`[-\pi, \pi]`, both ends being one point;
* *torus*: vectors of angles;
* *unit_sphere*: vectors with :math:`\lVert x \rVert = 1`; densities are taken with respect to surface area;
* *rotation_matrix*: 3 x 3 matrices with :math:`R^\top R = I`, :math:`\det R = 1`; densities are taken with respect to Haar
  measure, normalized to one, so the uniform density is 1;
* *product*: a vector whose consecutive blocks satisfy one constraint each.

Pure torch. ``pyro_bridge.py`` registers them with ``biject_to``, which opens them to NUTS and automatic guides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.distributions import biject_to, constraints
from torch.distributions.constraints import Constraint

__all__ = [
    "Circular",
    "Product",
    "RotationMatrix",
    "UnitSphere",
    "circular",
    "core_constraint",
    "interior_point",
    "is_real",
    "product",
    "rotation_matrix",
    "satisfies",
    "torus",
    "unit_sphere",
]


class Circular(Constraint):
    r"""Angles in radians, :math:`[-\pi, \pi]`; use the instance ``circular``.

    Example:
        >>> import torch
        >>> from probgen.distributions.constraints import circular
        >>> circular.check(torch.tensor([3.0, 4.0]))
        tensor([ True, False])
    """

    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Whether each angle lies in the fundamental interval."""
        return (value >= -math.pi) & (value <= math.pi)

    def __repr__(self) -> str:
        return "Circular()"


class UnitSphere(Constraint):
    """Vectors of Euclidean length one, up to rounding; use the instance ``unit_sphere``.

    Example:
        >>> import torch
        >>> from probgen.distributions.constraints import unit_sphere
        >>> unit_sphere.check(torch.tensor([[0.6, 0.8], [0.6, 0.9]]))
        tensor([ True, False])
    """

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """Whether each vector has length one."""
        tolerance = 16 * torch.finfo(value.dtype).eps * value.shape[-1] ** 0.5
        return cast(Tensor, (torch.linalg.vector_norm(value, dim=-1) - 1).abs() <= tolerance)

    def __repr__(self) -> str:
        return "UnitSphere()"


class RotationMatrix(Constraint):
    """Rotations of space as 3 x 3 matrices, up to rounding; use the instance ``rotation_matrix``.

    Example:
        >>> import torch
        >>> from probgen.distributions.constraints import rotation_matrix
        >>> rotation_matrix.check(torch.stack([torch.eye(3), -torch.eye(3), 2 * torch.eye(3)]))
        tensor([ True, False, False])
    """

    event_dim = 2

    def check(self, value: Tensor) -> Tensor:
        """Whether the columns of each matrix are orthonormal and right-handed."""
        tolerance = 64 * torch.finfo(value.dtype).eps
        first, second, third = value.unbind(-1)
        error = (value.mT @ value - torch.eye(3, dtype=value.dtype, device=value.device)).abs()
        volume = (torch.linalg.cross(first, second) * third).sum(-1)
        return cast(Tensor, (error <= tolerance).all(-1).all(-1) & (volume > 0))

    def __repr__(self) -> str:
        return "RotationMatrix()"


class Product(Constraint):
    """A vector of consecutive blocks, each with its own constraint.

    Args:
        factors: One constraint a block, of event dimension 0 (every coordinate) or 1 (the block as a whole).
        sizes: Lengths of the blocks.

    Raises:
        ValueError: the numbers of factors and sizes differ, or a factor has a higher event dimension.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.constraints import Product
        >>> Product([constraints.positive, constraints.simplex], [1, 2]).check(torch.tensor([3.0, 0.5, 0.5]))
        tensor(True)
    """

    event_dim = 1

    def __init__(self, factors: Sequence[Constraint], sizes: Sequence[int]) -> None:
        if len(factors) != len(sizes) or not factors:
            raise ValueError(f"`factors` and `sizes` must pair up; got {len(factors)} and {len(sizes)}.")
        for factor in factors:
            if factor.event_dim > 1:
                raise ValueError(f"`factors` must have event dimension 0 or 1; {factor} has {factor.event_dim}.")
        self.factors = tuple(factors)
        self.sizes = tuple(sizes)

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether some block is discrete."""
        return any(factor.is_discrete for factor in self.factors)

    def check(self, value: Tensor) -> Tensor:
        """Whether all blocks satisfy their constraints."""
        blocks = value.split(list(self.sizes), dim=-1)
        checks = [
            factor.check(block) if factor.event_dim else factor.check(block).all(-1)
            for factor, block in zip(self.factors, blocks, strict=True)
        ]
        return torch.stack(checks).all(0)

    def __repr__(self) -> str:
        return f"Product({', '.join(f'{factor} x {size}' for factor, size in zip(self.factors, self.sizes, strict=True))})"


circular = Circular()
torus = constraints.independent(circular, 1)
unit_sphere = UnitSphere()
rotation_matrix = RotationMatrix()


def product(*factors: tuple[Constraint, int]) -> Product:
    """The constraint on a vector of blocks.

    Args:
        *factors: Pairs (constraint, length of the block).

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.constraints import circular, product
        >>> product((constraints.positive, 2), (circular, 1))
        Product(GreaterThan(lower_bound=0.0) x 2, Circular() x 1)
    """
    return Product([factor for factor, _ in factors], [size for _, size in factors])


def core_constraint(constraint: Constraint) -> Constraint:
    """The constraint without reinterpreted batch dimensions.

    Args:
        constraint: Any constraint.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.constraints import core_constraint
        >>> core_constraint(constraints.real_vector)
        Real()
    """
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return constraint


def is_real(constraint: Constraint | None) -> bool:
    """Whether the constraint admits all real numbers.

    Args:
        constraint: Any constraint; None (no support known) admits nothing.

    Example:
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.constraints import is_real
        >>> is_real(constraints.real_vector), is_real(constraints.positive)
        (True, False)
    """
    return constraint is not None and isinstance(core_constraint(constraint), type(constraints.real))


def satisfies(constraint: Constraint, value: Tensor) -> Tensor:
    """Which events of ``value`` satisfy the constraint; torch's own check fails on an empty batch.

    Args:
        constraint: The constraint.
        value: Values ``[*batch, *event]``.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.constraints import satisfies
        >>> satisfies(constraints.real_vector, torch.zeros(0, 2)).shape
        torch.Size([0])
    """
    if value.numel() == 0:
        return torch.ones(value.shape[: value.dim() - constraint.event_dim], dtype=torch.bool, device=value.device)
    return cast(Tensor, constraint.check(value))


def interior_point(constraint: Constraint, reference: Tensor, event_shape: Sequence[int]) -> Tensor:
    """One point well inside the constraint: the image of zero under ``biject_to``.

    Args:
        constraint: A constraint that ``biject_to`` knows; for any other the reference itself is returned.
        reference: Gives dtype and device.
        event_shape: Shape of one event.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.constraints import interior_point
        >>> interior_point(constraints.simplex, torch.zeros(2), (2,))
        tensor([0.5000, 0.5000])
    """
    try:
        transform = biject_to(constraint)
    except NotImplementedError:
        return reference
    shape = transform.inverse_shape(torch.Size(event_shape))
    return transform(torch.zeros(shape, dtype=reference.dtype, device=reference.device))  # type: ignore[no-any-return]
