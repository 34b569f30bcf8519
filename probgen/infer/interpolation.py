r"""Paths from a point of the base to a datum, and their velocities: what flow matching regresses on.

With s from 0 (the base, :math:`z`) to 1 (the data, :math:`x`) and a width :math:`\sigma` that is left around the datum,

.. math::

    x_s = (1 - (1 - \sigma) s)\, z + s\, x, \qquad & u_s = x - (1 - \sigma)\, z & \text{(straight)}

    x_s = \cos(\theta s)\, z + \sin(\theta s)\, x, \qquad & u_s = \theta \big(\cos(\theta s)\, x - \sin(\theta s)\, z\big),
    \quad \theta = \arccos \sigma & \text{(variance preserving)} .

The second keeps the covariance of standardized data against noise, as diffusions do. A ``Schedule`` of a diffusion describes
such a path by its log-SNR, whose derivative is infinite at both ends; velocities here are finite everywhere, and the base need
not be normal.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

__all__ = ["PathName", "PathPoint", "interpolate"]

PathName = Literal["straight", "variance preserving"]
"""Names of the paths."""


class PathPoint(NamedTuple):
    """A point on a path.

    Attributes:
        value: Where it is, ``[N, *event]``.
        velocity: The derivative by s, ``[N, *event]``.

    Example:
        >>> import torch
        >>> from probgen.infer.interpolation import interpolate
        >>> interpolate("straight", torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.25])).value
        tensor([[0.2500, 0.2500]])
    """

    value: Tensor
    velocity: Tensor


def interpolate(path: PathName, start: Tensor, end: Tensor, s: Tensor, sigma_min: float = 0.0) -> PathPoint:
    """The points of paths at given positions.

    Args:
        path: "straight" or "variance preserving".
        start: Points of the base ``[N, *event]``.
        end: Data ``[N, *event]``.
        s: Positions ``[N]`` in [0, 1].
        sigma_min: Width of the base that is left at s = 1, in [0, 1).

    Raises:
        ValueError: no such path, or a width outside [0, 1).

    References:
        Lipman, Chen, Ben-Hamu, Nickel, Le (2023). Flow matching for generative modeling. https://arxiv.org/abs/2210.02747
        Albergo, Vanden-Eijnden (2023). Building normalizing flows with stochastic interpolants.
        https://arxiv.org/abs/2209.15571

    Example:
        >>> import torch
        >>> from probgen.infer.interpolation import interpolate
        >>> interpolate("straight", torch.zeros(1, 2), torch.ones(1, 2), torch.tensor([0.25])).velocity
        tensor([[1., 1.]])
    """
    if path not in ("straight", "variance preserving"):
        raise ValueError(f"`path` must be 'straight' or 'variance preserving'; got {path!r}.")
    if not 0 <= sigma_min < 1:
        raise ValueError(f"`sigma_min` must lie in [0, 1); got {sigma_min}.")
    s = s.to(end).reshape(-1, *(1,) * (end.dim() - 1))
    if path == "straight":
        kept = 1.0 - sigma_min
        return PathPoint((1 - kept * s) * start + s * end, end - kept * start)
    angle = math.acos(sigma_min)
    cosine, sine = torch.cos(angle * s), torch.sin(angle * s)
    return PathPoint(cosine * start + sine * end, angle * (cosine * end - sine * start))
