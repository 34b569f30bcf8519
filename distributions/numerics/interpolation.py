r"""Paths between two points: segments and arcs.

Two independent standard normal vectors averaged linearly have the variance :math:`w^2 + (1 - w)^2 < 1`: the middle of a
segment between two latents lies where a standard normal law puts next to no mass. Spherical interpolation

.. math:: \frac{\sin((1 - w)\theta)}{\sin\theta}\, a + \frac{\sin(w\theta)}{\sin\theta}\, b, \qquad
    \cos\theta = \frac{\langle a, b\rangle}{\lVert a\rVert\, \lVert b\rVert},

goes along an arc and keeps the length. Angle and norms are those of each event by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["linear", "spherical"]


def linear(a: Tensor, b: Tensor, weights: Sequence[float] | Tensor) -> Tensor:
    r"""The segment :math:`(1 - w) a + w b`.

    Args:
        a: Where it starts, ``[*shape]``.
        b: Where it ends, ``[*shape]``.
        weights: K numbers w.

    Returns:
        Points ``[K, *shape]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.interpolation import linear
        >>> linear(torch.zeros(2), torch.ones(2), [0.0, 0.5])
        tensor([[0.0000, 0.0000],
                [0.5000, 0.5000]])
    """
    return torch.lerp(a, b, _over(weights, a))


def spherical(a: Tensor, b: Tensor, weights: Sequence[float] | Tensor, *, event_dim: int = 1) -> Tensor:
    r"""The arc from one point to another, event by event.

    Args:
        a: Where it starts, ``[*batch, *event]``.
        b: Where it ends, ``[*batch, *event]``.
        weights: K numbers w.
        event_dim: Number of event dimensions.

    Returns:
        Points ``[K, *batch, *event]``; between parallel points, and from or to zero, the segment.

    References:
        Shoemake (1985). Animating rotation with quaternion curves. https://doi.org/10.1145/325334.325242

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.interpolation import spherical
        >>> spherical(torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), [0.5]).norm()
        tensor(1.)
    """
    axes = tuple(range(a.dim() - event_dim, a.dim()))
    product, norm_a, norm_b = ((x * y).sum(axes, keepdim=True) for x, y in ((a, b), (a, a), (b, b)))
    lengths = norm_a * norm_b
    known = lengths > 0
    cosine = product / torch.sqrt(torch.where(known, lengths, 1.0))
    apart = known & (1 - cosine.square() > 1e-10)
    safe = torch.acos(torch.where(apart, cosine, torch.zeros_like(cosine)))
    w = _over(weights, a)
    first = torch.where(apart, torch.sin((1 - w) * safe) / torch.sin(safe), 1 - w)
    second = torch.where(apart, torch.sin(w * safe) / torch.sin(safe), w)
    return first * a + second * b


def _over(weights: Sequence[float] | Tensor, like: Tensor) -> Tensor:
    w = torch.as_tensor(weights, dtype=like.dtype, device=like.device)
    return w.reshape(-1, *(1,) * like.dim())
