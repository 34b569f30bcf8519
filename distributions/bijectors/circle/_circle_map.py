"""What the maps of the circle share: where they start and end, and that they have no sign."""

from __future__ import annotations

from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.constraints import circular

__all__ = ["CircleMap"]


class CircleMap(Elementwise):
    """An elementwise map of angles in one turn (abstract).

    Example:
        >>> from probgen.distributions.bijectors import CircularShift, Mobius
        >>> from probgen.distributions.bijectors.circle._circle_map import CircleMap
        >>> issubclass(CircularShift, CircleMap), issubclass(Mobius, CircleMap)
        (True, True)
    """

    domain: Constraint = circular
    codomain: Constraint = circular

    @property
    def sign(self) -> int:
        """None: on the interval the map jumps at the seam.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(f"{type(self).__name__} has no sign: a map of the circle is not monotone on the interval.")
