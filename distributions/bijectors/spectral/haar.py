r"""The Haar wavelet transform, orthonormal.

One level replaces neighbors :math:`(x_{2i}, x_{2i+1})` by their scaled mean and difference,

.. math::

    a_i = \frac{x_{2i} + x_{2i+1}}{\sqrt 2}, \qquad d_i = \frac{x_{2i} - x_{2i+1}}{\sqrt 2},

means first, differences last; a last sample without a partner joins the means. The next level works on the means only. With
two axes a level treats both, so the means are a half-size image and the rest are edges in three directions (Mallat's pyramid).
Every step is a rotation and reflection of pairs: the map is orthogonal, its log-determinant exactly 0, its cost linear.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors.spectral.axis_transform import AxisTransform

__all__ = ["HaarWavelet"]


class HaarWavelet(AxisTransform):
    """Samples or pixels to Haar coefficients, coarse ones first; the shape stays.

    Domain and codomain: real events of any size. With images, two levels of ``dims=(-2, -1)`` put a quarter-size image into the
    corner.

    Args:
        dims: The axes, negative; ``(-1,)`` for signals, ``(-2, -1)`` for images.
        levels: How many, at least 1; None for as many as the shortest of the axes has halvings. Levels at which an axis has
            only one mean left do nothing along it.

    Raises:
        ValueError: an axis is not negative, or ``levels`` is not positive.

    References:
        Mallat (1989). A theory for multiresolution signal decomposition: the wavelet representation.
        https://doi.org/10.1109/34.192463
        Yu, Derpanis, Brubaker (2020). Wavelet flow: fast training of high resolution normalizing flows.
        https://arxiv.org/abs/2010.13821

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import HaarWavelet
        >>> HaarWavelet(levels=1)(torch.tensor([1.0, 1.0, 5.0, 3.0])) * 2**0.5
        tensor([2., 8., 0., 2.])
    """

    def __init__(self, dims: Sequence[int] = (-1,), *, levels: int | None = None) -> None:
        super().__init__(dims)
        if levels is not None and levels < 1:
            raise ValueError(f"`levels` must be at least 1; got {levels}.")
        self.levels = levels

    def _analyze(self, x: Tensor) -> Tensor:
        for lengths in self._lengths(x):
            corner = self._corner(x, lengths)
            for dim in self.dims:
                corner = _means_and_differences(corner, dim)
            x = self._with_corner(x, corner, lengths)
        return x

    def _synthesize(self, y: Tensor) -> Tensor:
        for lengths in reversed(self._lengths(y)):
            corner = self._corner(y, lengths)
            for dim in reversed(self.dims):
                corner = _pairs(corner, dim)
            y = self._with_corner(y, corner, lengths)
        return y

    def _lengths(self, x: Tensor) -> list[tuple[int, ...]]:
        """Lengths of the corner that each level works on."""
        lengths = tuple(x.shape[dim] for dim in self.dims)
        count = (max(min(lengths), 1) - 1).bit_length() if self.levels is None else self.levels
        result = []
        for _ in range(count):
            result.append(lengths)
            lengths = tuple((length + 1) // 2 for length in lengths)
        return result

    def _corner(self, x: Tensor, lengths: Sequence[int]) -> Tensor:
        for dim, length in zip(self.dims, lengths, strict=True):
            x = x.narrow(dim, 0, length)
        return x

    def _with_corner(self, x: Tensor, corner: Tensor, lengths: Sequence[int]) -> Tensor:
        """``x`` with its corner replaced, built from slices: axis after axis the corner grows by what lies beside it."""
        for place, (dim, length) in enumerate(zip(self.dims, lengths, strict=True)):
            beside = x.narrow(dim, length, x.shape[dim] - length)
            for other, other_length in list(zip(self.dims, lengths, strict=True))[place + 1 :]:
                beside = beside.narrow(other, 0, other_length)
            corner = torch.cat([corner, beside], dim)
        return corner


def _means_and_differences(x: Tensor, dim: int) -> Tensor:
    pairs = x.shape[dim] // 2
    paired, rest = x.split([2 * pairs, x.shape[dim] - 2 * pairs], dim)
    first, second = paired.unflatten(dim, (pairs, 2)).unbind(dim)
    return torch.cat([(first + second) * math.sqrt(0.5), rest, (first - second) * math.sqrt(0.5)], dim)


def _pairs(y: Tensor, dim: int) -> Tensor:
    pairs = y.shape[dim] // 2
    means, rest, differences = y.split([pairs, y.shape[dim] - 2 * pairs, pairs], dim)
    both = torch.stack([(means + differences) * math.sqrt(0.5), (means - differences) * math.sqrt(0.5)], dim)
    return torch.cat([both.flatten(dim - 1, dim), rest], dim)
