r"""The map from the reals onto a support."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Transform, biject_to, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.lift import Lift

__all__ = ["ToSupport"]


class ToSupport(Bijector):
    r"""The registered map from :math:`\mathbb R^n` onto a constraint, whose codomain *is* that constraint.

    Torch's ``biject_to(interval(a, b))`` says that its codomain is the real line; a flow that ends with it would then report a
    wrong support, and a sampler would leave the interval.

    Args:
        support: A constraint that ``biject_to`` knows.

    Raises:
        NotImplementedError: ``biject_to`` does not know the constraint.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.bijectors import ToSupport
        >>> f = ToSupport(constraints.interval(0.0, 4.0))
        >>> f(torch.tensor(0.0)), f.codomain
        (tensor(2.), Interval(lower_bound=0.0, upper_bound=4.0))
    """

    def __init__(self, support: Constraint) -> None:
        super().__init__()
        transform: Transform = biject_to(support)
        self.support = copy.copy(support)
        self.map = transform if isinstance(transform, Bijector) else Lift(transform)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """All real numbers, with the event rank of the registered map."""
        rank = self.map.domain.event_dim
        return constraints.independent(constraints.real, rank) if rank else constraints.real

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The support."""
        return self.support

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of the registered map."""
        return self.map.domain_shape

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """As that of the registered map."""
        return self.map.codomain_shape

    @property
    def sign(self) -> int:
        """As that of the registered map."""
        return self.map.sign

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """As that of the registered map."""
        return self.map.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """As that of the registered map."""
        return self.map.inverse_shape(shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.map._forward_and_log_det(x)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.map._inverse_and_log_det(y)

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:  # noqa: FBT001, FBT002
        for name, value in vars(self.support).items():
            if isinstance(value, Tensor):
                setattr(self.support, name, fn(value))
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]
