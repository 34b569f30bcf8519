"""Noise of its own for a report: reproducible, and not the noise that data were made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["random_stream"]

_OFFSET = 0x5DEECE66D5DEECE6


@contextmanager
def random_stream(seed: int, device: torch.device) -> Iterator[None]:
    """Draw by another stream for every seed; afterwards the global random state is what it was.

    It differs from the stream of ``torch.manual_seed(seed)``: data drawn under the seed 0 would otherwise meet their own
    noise again in a report with the seed 0, as the noise of a bound or as the draws of a two-sample test.

    Args:
        seed: Any integer.
        device: Where the draws are made, besides the CPU.

    Example:
        >>> import torch
        >>> from probgen.distributions._seeding import random_stream
        >>> _ = torch.manual_seed(0)
        >>> data = torch.randn(3)
        >>> with random_stream(0, data.device):
        ...     bool((torch.randn(3) == data).any())
        False
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed((seed + _OFFSET) % 2**63)
        yield
