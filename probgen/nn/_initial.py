r"""What weights start with that are no layer of torch's: uniform, :math:`|w| < 1 / \sqrt n` with n inputs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

__all__ = ["uniform_parameter"]


def uniform_parameter(fan_in: int, shape: Sequence[int]) -> torch.nn.Parameter:
    """A weight, uniform with the range that torch's linear layers start with.

    Args:
        fan_in: How many numbers are added up.
        shape: Shape of the weight.

    Example:
        >>> from probgen.nn._initial import uniform_parameter
        >>> bool((uniform_parameter(4, (3, 4)).abs() <= 0.5).all())
        True
    """
    return torch.nn.Parameter(torch.empty(*shape).uniform_(-1, 1) / math.sqrt(fan_in))
