r"""Batch dimensions reinterpreted as event dimensions.

The map stays the same; what changes is what one event is. With :math:`n` batch axes taken into the event, the log-determinant
is summed over them, because the Jacobian of independent copies is block diagonal:

.. math::

    \log|\det J(x)| = \sum_i \log|\det J_f(x_i)|.
"""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Transform, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_event_shape
from probgen.distributions.bijectors.combined import context_for
from probgen.distributions.bijectors.lift import as_bijector
from probgen.distributions.bijectors.wrapper import Wrapper
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Independent"]


class Independent(Wrapper):
    r"""The map of ``base`` on events with more axes, as ``torch.distributions.transforms.IndependentTransform``.

    Args:
        base: A bijector or torch transform.
        reinterpreted: How many rightmost batch axes become event axes, at least 0.

    Raises:
        ValueError: ``reinterpreted`` is negative.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp, Independent
        >>> Independent(Exp(), 1).forward_and_log_det(torch.ones(3))
        (tensor([2.7183, 2.7183, 2.7183]), tensor(3.))
    """

    def __init__(self, base: Transform, reinterpreted: int) -> None:
        if reinterpreted < 0:
            raise ValueError(f"`reinterpreted` must be at least 0; got {reinterpreted}.")
        super().__init__(as_bijector(base))
        self.reinterpreted = reinterpreted

    def extra_repr(self) -> str:
        """Number of reinterpreted axes."""
        return f"reinterpreted={self.reinterpreted}"

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """That of ``base`` for every copy."""
        return constraints.independent(self.base.domain, self.reinterpreted)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """That of ``base`` for every copy."""
        return constraints.independent(self.base.codomain, self.reinterpreted)

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """None, unless nothing is reinterpreted: the new axes may have any length."""
        return None if self.reinterpreted else self.base.domain_shape

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """None, unless nothing is reinterpreted: the new axes may have any length."""
        return None if self.reinterpreted else self.base.codomain_shape

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Start ``base`` from data ``y``."""
        self.base.initialize_from(y, context_for(self.base, context, self.reinterpreted))

    def _check_input(
        self, name: str, value: Tensor, constraint: Constraint, event_shape: tuple[int, ...] | None, context: Tensor | None
    ) -> None:
        super()._check_input(name, value, constraint, event_shape, context)
        inner, fixed = (
            (self.base.domain, self.base.domain_shape) if name == "x" else (self.base.codomain, self.base.codomain_shape)
        )
        require_event_shape(name, value, inner.event_dim, fixed)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y, log_det = self.base._forward_and_log_det(x, context_for(self.base, context, self.reinterpreted))
        return y, sum_rightmost(log_det, self.reinterpreted)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        x, log_det = self.base._inverse_and_log_det(y, context_for(self.base, context, self.reinterpreted))
        return x, sum_rightmost(log_det, self.reinterpreted)

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._forward(x, context_for(self.base, context, self.reinterpreted))

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._inverse(y, context_for(self.base, context, self.reinterpreted))
