r"""Rotations and reflections of the circle :math:`[-\pi, \pi)`.

A circular spline fixes the point :math:`\pm\pi`. Between two splines a rotation moves the seam, so that no point is special.
Results are wrapped, :math:`w(a) = a - 2 \pi \lfloor (a + \pi) / 2 \pi \rfloor`; lengths of arcs are kept, so the
log-determinant is exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors.circle._circle_map import CircleMap
from probgen.distributions.bijectors.parameters import Parameter, real_parameter
from probgen.distributions.numerics.clamping import clamp_value

__all__ = ["CircularReflection", "CircularShift", "wrapped"]


class CircularShift(CircleMap):
    r""":math:`y = w(x + s)`: a rotation of the circle by the angle :math:`s`.

    Args:
        shift: The angle in radians, any shape; None to learn it.
        shape: Batch shape of the learned parameters.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CircularShift
        >>> CircularShift(torch.pi / 2)(torch.tensor([0.0, 3.0])) / torch.pi
        tensor([ 0.5000, -0.5451])
    """

    constant_log_det = True

    def __init__(self, shift: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, shift=shift)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``shift``, any real number."""
        return (real_parameter("shift"),)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y = wrapped(x + values[0])
        return y, torch.zeros_like(y)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x = wrapped(y - values[0])
        return x, torch.zeros_like(x)


class CircularReflection(CircleMap):
    r""":math:`y = w(2 a - x)`: the reflection that keeps the points :math:`a` and :math:`a + \pi`; its own inverse.

    Args:
        axis: The angle :math:`a` in radians, any shape; None to learn it.
        shape: Batch shape of the learned parameters.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CircularReflection
        >>> CircularReflection(torch.pi / 2)(torch.tensor([torch.pi / 2, 0.5])).round(decimals=4)
        tensor([1.5708, 2.6416])
    """

    constant_log_det = True

    def __init__(self, axis: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, axis=axis)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``axis``, any real number."""
        return (real_parameter("axis"),)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y = wrapped(2 * values[0] - x)
        return y, torch.zeros_like(y)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return self._element_forward(y, values)


def wrapped(angle: Tensor) -> Tensor:
    r"""Return the same direction as an angle in :math:`[-\pi, \pi]`, elementwise; the slope is one.

    Args:
        angle: Any real numbers, in radians.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.circle.rotation import wrapped
        >>> wrapped(torch.tensor([1.0, 4.0]))
        tensor([ 1.0000, -2.2832])
    """
    turns = torch.floor((angle.detach() + math.pi) / (2 * math.pi))
    return clamp_value(angle - 2 * math.pi * turns, -math.pi, math.pi)
