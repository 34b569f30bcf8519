r"""Butterfly maps: products of :math:`\log_2 n` sparse matrices that mix everything with everything.

Level :math:`l` joins coordinates whose numbers differ in bit :math:`l`, each pair by its own 2 x 2 block,

.. math::

    W = B_m \cdots B_2 B_1, \qquad m = \lceil \log_2 n \rceil, \qquad
    \begin{pmatrix} y_i \\ y_{i + 2^l} \end{pmatrix} = M_{l,i} \begin{pmatrix} x_i \\ x_{i + 2^l} \end{pmatrix}, \qquad
    M = R(\theta) \begin{pmatrix} e^{d_1} & u \\ 0 & e^{d_2} \end{pmatrix},

with a rotation :math:`R`. Products, solves and gradients cost :math:`O(n \log n)`; the fast Fourier, Hadamard and cosine
transforms have this form. With rotations alone, :math:`W` is orthogonal; else :math:`\log|\det W| = \sum d`, exactly.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.linear import Linear, Start, require_start
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Butterfly"]

_DIAGONAL_BOUND = math.log(10.0)


class Butterfly(Linear):
    r""":math:`y = b + B_m \cdots B_1 x` with :math:`O(n \log n)` parameters and cost.

    If ``features`` is no power of two, coordinates without a partner are left alone at that level.

    Args:
        features: Length of the vectors, at least 2.
        orthogonal: Rotations only: length and volume are preserved.
        loc: Learn the translation :math:`b`, started at zero; otherwise there is none.
        start: "identity", or "rotation" for random angles.
        generator: Source of randomness for ``start="rotation"``.

    Raises:
        ValueError: ``features`` is less than 2, or ``start`` is unknown.

    References:
        Dao, Gu, Eichhorn, Rudra, Ré (2019). Learning fast algorithms for linear transforms using butterfly factorizations.
        https://arxiv.org/abs/1903.05895
        Meng, Zhou, Choi, Dao, Ermon (2022). ButterflyFlow: building invertible layers with butterfly matrices.
        https://arxiv.org/abs/2209.13774

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Butterfly
        >>> f = Butterfly(8, orthogonal=True, start="rotation", generator=torch.Generator().manual_seed(0))
        >>> sum(parameter.numel() for parameter in f.parameters()), bool((f.matrix != 0).all())
        (12, True)
    """

    _weight_name = "angles"

    def __init__(
        self,
        features: int,
        *,
        orthogonal: bool = False,
        loc: bool = False,
        start: Start = "identity",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, loc=loc)
        if features < 2:
            raise ValueError(f"`features` must be at least 2; got {features}.")
        self.orthogonal = orthogonal
        self._sizes = [_register_level(self, level) for level in range((features - 1).bit_length())]
        count = sum(self._sizes)
        angles = torch.zeros(count) if require_start(start) == "identity" else math.pi * torch.rand(count, generator=generator)
        self.angles = nn.Parameter(angles)
        self.diagonal = None if orthogonal else nn.Parameter(torch.zeros(2, count))
        self.shear = None if orthogonal else nn.Parameter(torch.zeros(count))

    def _multiply(self, x: Tensor) -> Tensor:
        for level, (cosine, sine, *block) in enumerate(self._blocks(x)):
            first, second, rest = self._pairs(x, level)
            if block:
                first, second = block[0] * first + block[2] * second, block[1] * second
            x = self._joined(level, cosine * first - sine * second, sine * first + cosine * second, rest)
        return x

    def _solve(self, y: Tensor) -> Tensor:
        for level, (cosine, sine, *block) in reversed(list(enumerate(self._blocks(y)))):
            first, second, rest = self._pairs(y, level)
            first, second = cosine * first + sine * second, cosine * second - sine * first
            if block:
                second = second / block[1]
                first = (first - block[2] * second) / block[0]
            y = self._joined(level, first, second, rest)
        return y

    def _log_determinant(self, like: Tensor) -> Tensor:
        if self.diagonal is None:
            return super()._log_determinant(like)
        return soft_clip(self.diagonal, _DIAGONAL_BOUND).sum().to(like.dtype)

    def _blocks(self, like: Tensor) -> list[tuple[Tensor, ...]]:
        """For each level: cosines, sines and, unless orthogonal, both diagonals and the shear of its blocks."""
        angles = self.angles.to(like.dtype)
        numbers = [angles.cos(), angles.sin()]
        if self.diagonal is not None and self.shear is not None:
            numbers += [*soft_clip(self.diagonal, _DIAGONAL_BOUND).exp().to(like.dtype), self.shear.to(like.dtype)]
        return list(zip(*(number.split(self._sizes) for number in numbers), strict=True))

    def _pairs(self, x: Tensor, level: int) -> tuple[Tensor, Tensor, Tensor]:
        ordered = x.index_select(-1, self.get_buffer(f"_order_{level}"))
        size = self._sizes[level]
        first, second, rest = ordered.split([size, size, self.features - 2 * size], -1)
        return first, second, rest

    def _joined(self, level: int, first: Tensor, second: Tensor, rest: Tensor) -> Tensor:
        return torch.cat([first, second, rest], -1).index_select(-1, self.get_buffer(f"_rank_{level}"))


def _register_level(owner: Butterfly, level: int) -> int:
    """Store which coordinates are joined at a level, and return how many pairs there are."""
    step, count = 2**level, owner.features
    first = [index for index in range(count) if not index & step and index + step < count]
    second = [index + step for index in first]
    order = torch.tensor(first + second + sorted(set(range(count)) - set(first) - set(second)))
    owner.register_buffer(f"_order_{level}", order, persistent=False)
    owner.register_buffer(f"_rank_{level}", order.argsort(), persistent=False)
    return len(first)
