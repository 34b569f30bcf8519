"""Any ``torch.distributions`` or Pyro transform as a bijector."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Transform
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector

__all__ = ["Lift"]


class Lift(Bijector):
    r"""A foreign transform, for example ``biject_to(constraint)`` or a Pyro flow, as a bijector.

    Value and log-determinant are those of the transform. Its caches are switched off, tensors that it holds move with
    ``.to()``, and the parameters of a transform that is an ``nn.Module`` are shared.

    Args:
        transform: A bijective ``torch.distributions.Transform``.

    Raises:
        ValueError: the transform is not bijective.

    Example:
        >>> import torch
        >>> from torch.distributions import biject_to, constraints
        >>> from probgen.distributions.bijectors import Lift
        >>> f = Lift(biject_to(constraints.simplex))
        >>> f(torch.zeros(2))
        tensor([0.3333, 0.3333, 0.3333])
    """

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        if not transform.bijective:
            raise ValueError(f"`transform` must be bijective; {type(transform).__name__} is not.")
        if not isinstance(transform, nn.Module):
            transform = copy.copy(transform.with_cache(0))
        self.transform = transform

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """As that of the transform."""
        return self.transform.domain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As that of the transform."""
        return self.transform.codomain

    @property
    def sign(self) -> int:
        """As that of the transform."""
        return int(self.transform.sign)

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:  # type: ignore[override]
        """As that of the transform."""
        return torch.Size(self.transform.forward_shape(shape))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:  # type: ignore[override]
        """As that of the transform."""
        return torch.Size(self.transform.inverse_shape(shape))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y = self.transform(x)
        return y, self.transform.log_abs_det_jacobian(x, y)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x = self.transform.inv(y)
        return x, -self.transform.log_abs_det_jacobian(x, y)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.transform(x)  # type: ignore[no-any-return]

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self.transform.inv(y)  # type: ignore[no-any-return]

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:
        if not isinstance(self.transform, nn.Module):
            for name, value in vars(self.transform).items():
                if isinstance(value, Tensor):
                    setattr(self.transform, name, fn(value))
        return super()._apply(fn, recurse)  # type: ignore[no-any-return]
