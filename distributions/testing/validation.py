"""Switch value checks on or off for a while, and put the switch back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.distributions import Distribution

__all__ = ["validation"]


@contextmanager
def validation(*, enabled: bool) -> Iterator[None]:
    """Run a block with torch's distribution validation on or off.

    Args:
        enabled: Whether values (supports, NaN, non-convergence) are checked inside the block.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.distributions.testing import validation
        >>> with validation(enabled=False):
        ...     Exp().inverse(torch.tensor(-1.0))
        tensor(nan)
    """
    before = Distribution._validate_args
    Distribution.set_default_validate_args(enabled)
    try:
        yield
    finally:
        Distribution.set_default_validate_args(before)
