"""The case table's rows: one object, how to build it, and what it promises.

A row drives every law. A tolerance other than 1 and an exemption each carry a reason, printed with the results; laws are
named as in ``probgen.distributions.testing.laws``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch.distributions import Distribution

from probgen.distributions.bijectors.base import Bijector

__all__ = ["BijectorCase", "DistributionCase"]


@dataclass(frozen=True)
class BijectorCase:
    """One bijector under all laws.

    Attributes:
        make: Builds a fresh object; its random initialization follows torch's global seed.
        event_shape: Shape of one event of ``x``; () for elementwise maps.
        tolerance: Factor on every numerical tolerance; needs a ``tolerance_reason`` if not 1.
        tolerance_reason: Why the factor is not 1.
        exempt: Law name to reason, for laws that do not apply.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing import BijectorCase
        >>> BijectorCase(Exp).make()
        Exp()
    """

    make: Callable[[], Bijector]
    event_shape: tuple[int, ...] = ()
    tolerance: float = 1.0
    tolerance_reason: str = ""
    exempt: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DistributionCase:
    """One distribution under all laws.

    Attributes:
        make: Builds a fresh object; its random initialization follows torch's global seed.
        reference: An independent distribution with the same law (torch or scipy frozen), if one exists.
        tolerance: Factor on every numerical tolerance; needs a ``tolerance_reason`` if not 1.
        tolerance_reason: Why the factor is not 1.
        exempt: Law name to reason, for laws that do not apply.

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.testing import DistributionCase
        >>> DistributionCase(lambda: dist.Normal(0.0, 1.0)).make()
        Normal(loc: 0.0, scale: 1.0)
    """

    make: Callable[[], Distribution]
    reference: object | None = None
    tolerance: float = 1.0
    tolerance_reason: str = ""
    exempt: Mapping[str, str] = field(default_factory=dict)
