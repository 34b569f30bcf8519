r"""Events in another shape: the same numbers in the same order, log-determinant exactly 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector

__all__ = ["Reshape"]


class Reshape(Bijector):
    r"""Reinterpret an event of shape ``in_shape`` as one of shape ``out_shape``, in row-major order.

    Args:
        in_shape: Event shape of ``x``; () for a scalar.
        out_shape: Event shape of ``y``, with as many elements.
        support: What every number satisfies, a constraint of event dimension 0. It keeps the support of a flow right that
            reshapes positive numbers, for example.

    Raises:
        ValueError: the shapes have different numbers of elements, a length is negative, or ``support`` couples numbers.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Reshape
        >>> Reshape((4,), (2, 2))(torch.arange(4.0))
        tensor([[0., 1.],
                [2., 3.]])
    """

    constant_log_det = True

    def __init__(self, in_shape: Sequence[int], out_shape: Sequence[int], *, support: Constraint = constraints.real) -> None:
        super().__init__()
        self.in_shape, self.out_shape = tuple(in_shape), tuple(out_shape)
        if math.prod(self.in_shape) != math.prod(self.out_shape) or min((*self.in_shape, *self.out_shape, 0)) < 0:
            raise ValueError(
                f"`in_shape` and `out_shape` must have the same number of elements; got {self.in_shape} and {self.out_shape}."
            )
        if support.event_dim:
            raise ValueError(f"`support` must have event dimension 0; got {support} with {support.event_dim}.")
        self.support = support
        self.domain_shape = self.in_shape

    def extra_repr(self) -> str:
        """The two shapes."""
        return f"{self.in_shape}, {self.out_shape}"

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Events of ``in_shape`` whose numbers are in the support."""
        return constraints.independent(self.support, len(self.in_shape)) if self.in_shape else self.support

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Events of ``out_shape`` whose numbers are in the support."""
        return constraints.independent(self.support, len(self.out_shape)) if self.out_shape else self.support

    @property
    def codomain_shape(self) -> tuple[int, ...]:
        """``out_shape``."""
        return self.out_shape

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        batch = x.shape[: x.dim() - len(self.in_shape)]
        return x.reshape((*batch, *self.out_shape)), x.new_zeros(batch)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        batch = y.shape[: y.dim() - len(self.out_shape)]
        return y.reshape((*batch, *self.in_shape)), y.new_zeros(batch)
