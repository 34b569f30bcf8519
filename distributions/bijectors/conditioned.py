r"""A bijector with its context bound: :math:`x \mapsto f(x; c)` for one given :math:`c`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import ContextError, require_context
from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.wrapper import Wrapper

__all__ = ["Conditioned"]


class Conditioned(Wrapper):
    r""":math:`y = f(x; c)` with :math:`c` bound; what ``f.condition(c)`` returns. The parameters stay shared with ``base``.

    Args:
        base: A bijector that declares a ``context_shape``.
        context: The context, shape ``[*context_batch, *base.context_shape]``; its batch broadcasts with that of ``x``.

    Raises:
        ContextError: ``base`` takes no context, or one of another shape.

    Example:
        >>> import torch
        >>> from probgen.flows import neural_spline_coupling
        >>> f = neural_spline_coupling(features=2, context_shape=(1,), layers=2)
        >>> f.condition(torch.zeros(5, 1))(torch.zeros(7, 5, 2)).shape
        torch.Size([7, 5, 2])
    """

    context: Tensor

    def __init__(self, base: Bijector, context: Tensor) -> None:
        if base.context_shape is None:
            raise ContextError(f"{type(base).__name__} takes no context, so it cannot be conditioned.")
        require_context(type(base).__name__, context, base.context_shape, ())
        super().__init__(base)
        self.register_buffer("context", context, persistent=False)

    @property
    def context_shape(self) -> None:  # type: ignore[override]
        """None: the context is bound."""
        return None

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of ``f(x; c)``: the batch is broadcast with that of the context."""
        return self._with_context_batch(self.base.forward_shape(shape), self.codomain.event_dim)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Shape of the inverse at ``y``: the batch is broadcast with that of the context."""
        return self._with_context_batch(self.base.inverse_shape(shape), self.domain.event_dim)

    def _with_context_batch(self, shape: torch.Size, event_dim: int) -> torch.Size:
        cut = len(shape) - event_dim
        context_dim = len(self.base.context_shape or ())
        context_batch = self.context.shape[: self.context.dim() - context_dim]
        return torch.Size((*torch.broadcast_shapes(shape[:cut], context_batch), *shape[cut:]))

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Start ``base`` from data ``y``, given the bound context."""
        self.base.initialize_from(y, self.context)

    def _check_input(
        self, name: str, value: Tensor, constraint: Constraint, event_shape: tuple[int, ...] | None, context: Tensor | None
    ) -> None:
        super()._check_input(name, value, constraint, event_shape, context)
        batch = value.shape[: value.dim() - constraint.event_dim]
        require_context(type(self.base).__name__, self.context, self.base.context_shape, batch)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.base._forward_and_log_det(x, self.context)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.base._inverse_and_log_det(y, self.context)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._forward(x, self.context)

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._inverse(y, self.context)
