"""What bijectors share that transform numbers by one elementwise map, with parameters that a conditioner emits."""

from __future__ import annotations

from probgen.distributions.bijectors.base import Bijector, Direction
from probgen.distributions.bijectors.elementwise import Elementwise

__all__ = ["ElementOwner"]


class ElementOwner(Bijector):
    """A bijector around an elementwise map ``element`` (abstract): exact, fast and static where that is.

    The conditioner is never inverted and costs the same both ways.

    Attributes:
        element: The elementwise map, without free parameters of its own.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, Coupling
        >>> from probgen.distributions.bijectors._element_owner import ElementOwner
        >>> f = Coupling(Affine(), torch.nn.Linear(1, 4), mask=[True, False, False])
        >>> isinstance(f, ElementOwner), f.exact_inverse, f.fast_direction
        (True, True, 'both')
    """

    element: Elementwise

    @property
    def exact_inverse(self) -> bool:  # type: ignore[override]
        """As that of the element."""
        return self.element.exact_inverse

    @property
    def fast_direction(self) -> Direction:  # type: ignore[override]
        """As that of the element: the conditioner costs the same both ways."""
        return self.element.fast_direction

    @property
    def static_graph(self) -> bool:  # type: ignore[override]
        """As that of the element."""
        return self.element.static_graph
