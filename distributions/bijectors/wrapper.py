"""What bijectors around one other bijector share: everything that they don't change is that of the wrapped one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector, Direction, LogDetKind

__all__ = ["Wrapper"]


class Wrapper(Bijector):
    """A bijector around ``base``, with the domain, codomain, context, shapes and capability flags of ``base`` (abstract).

    A subclass overrides what differs, and writes the two hooks. The parameters are those of ``base``.

    Args:
        base: The wrapped bijector.

    Raises:
        TypeError: ``base`` is no bijector.

    Example:
        >>> from probgen.distributions.bijectors import Exp, Independent, Wrapper
        >>> f = Independent(Exp(), 1)
        >>> isinstance(f, Wrapper), f.base
        (True, Exp())
    """

    def __init__(self, base: Bijector) -> None:
        super().__init__()
        if not isinstance(base, Bijector):
            raise TypeError(f"`base` of {type(self).__name__} must be a Bijector; got {type(base).__name__}.")
        self.base = base

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.domain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.codomain

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.context_shape

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.domain_shape

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """As that of ``base``."""
        return self.base.codomain_shape

    @property
    def exact_inverse(self) -> bool:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.exact_inverse

    @property
    def fast_direction(self) -> Direction:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.fast_direction

    @property
    def constant_log_det(self) -> bool:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.constant_log_det

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.static_graph

    @property
    def log_det_kind(self) -> LogDetKind:  # type: ignore[override]
        """As that of ``base``."""
        return self.base.log_det_kind

    @property
    def sign(self) -> int:
        """As that of ``base``."""
        return self.base.sign

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """As that of ``base``."""
        return self.base.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """As that of ``base``."""
        return self.base.inverse_shape(shape)
