r"""Squeezing: blocks of neighbors become channels (space to depth); log-determinant exactly 0.

With factor 2 the block at rows :math:`2i, 2i + 1` and columns :math:`2j, 2j + 1` of a channel becomes four channels of one
position,

.. math:: y_{4c + 2a + b,\, i,\, j} = x_{c,\, 2i + a,\, 2j + b}, \qquad a, b \in \{0, 1\}.

It is *not* a reshape, which would put numbers of one row into a position: in a 4 x 4 image, squeezing groups the pixels
0, 1, 4, 5; reading the same numbers as four channels of 2 x 2 groups 0, 4, 8, 12.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector

__all__ = ["Squeeze"]


class Squeeze(Bijector):
    r"""``[c, *lengths]`` to ``[c * prod(factors), *(lengths / factors)]``, volume preserving and exact both ways.

    Args:
        factors: One factor an axis after the channels: ``(2, 2)`` for images, ``(8,)`` for waves.

    Raises:
        ValueError: no factors, one that is not positive, or, on a call, a length that its factor does not divide.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP, section 3.6. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Squeeze
        >>> Squeeze((2, 2))(torch.arange(16.0).reshape(1, 4, 4))[:, 0, 0]
        tensor([0., 1., 4., 5.])
    """

    constant_log_det = True

    def __init__(self, factors: Sequence[int]) -> None:
        super().__init__()
        self.factors = tuple(factors)
        if not self.factors or min(self.factors) < 1:
            raise ValueError(f"`factors` must be positive, one for each axis after the channels; got {self.factors}.")

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Real events of channels and as many axes as there are factors."""
        return constraints.independent(constraints.real, len(self.factors) + 1)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return self.domain

    def extra_repr(self) -> str:
        """The factors."""
        return f"{self.factors}"

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """More channels, shorter axes."""
        cut = self._cut(shape)
        channels, *lengths = shape[cut:]
        for length, factor in zip(lengths, self.factors, strict=True):
            if length % factor:
                raise ValueError(
                    f"lengths must be multiples of the factors {self.factors}; got the event {tuple(shape[cut:])}."
                )
        shorter = (length // factor for length, factor in zip(lengths, self.factors, strict=True))
        return torch.Size((*shape[:cut], channels * math.prod(self.factors), *shorter))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Fewer channels, longer axes."""
        cut = self._cut(shape)
        channels, *lengths = shape[cut:]
        if channels % math.prod(self.factors):
            raise ValueError(f"channels must be a multiple of {math.prod(self.factors)}; got the event {tuple(shape[cut:])}.")
        longer = (length * factor for length, factor in zip(lengths, self.factors, strict=True))
        return torch.Size((*shape[:cut], channels // math.prod(self.factors), *longer))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        shape, cut, rank = self.forward_shape(x.shape), self._cut(x.shape), len(self.factors)
        blocks = itertools.chain.from_iterable(zip(shape[cut + 1 :], self.factors, strict=True))
        x = x.reshape((*x.shape[: cut + 1], *blocks))
        order = [cut, *range(cut + 2, cut + 2 * rank + 1, 2), *range(cut + 1, cut + 2 * rank, 2)]
        return x.permute(*range(cut), *order).reshape(shape), x.new_zeros(shape[:cut])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        shape, cut, rank = self.inverse_shape(y.shape), self._cut(y.shape), len(self.factors)
        y = y.reshape((*shape[: cut + 1], *self.factors, *y.shape[cut + 1 :]))
        pairs = itertools.chain.from_iterable((cut + 1 + rank + axis, cut + 1 + axis) for axis in range(rank))
        return y.permute(*range(cut + 1), *pairs).reshape(shape), y.new_zeros(shape[:cut])

    def _cut(self, shape: Sequence[int]) -> int:
        cut = len(shape) - len(self.factors) - 1
        if cut < 0:
            raise ValueError(f"`shape` needs at least {len(self.factors) + 1} event dimension(s); got {tuple(shape)}.")
        return cut
