r"""Sylvester maps: planar maps with a bottleneck of several directions.

With :math:`Q` of :math:`M \le D` orthonormal columns and upper triangular :math:`R, \tilde R`,

.. math::

    y = x + Q R \tanh(\tilde R Q^\top x + b), \qquad
    \log|\det J| = \sum_{i=1}^M \log\bigl(1 + d_i (1 - \tanh^2 s_i)\bigr), \qquad d_i = R_{ii} \tilde R_{ii},

where :math:`s = \tilde R Q^\top x + b`, because :math:`\det(I_D + AB) = \det(I_M + BA)` (Sylvester) and :math:`\tilde R R` is
triangular. The map is invertible if all :math:`d_i > -1`. The columns are the first of a product of Householder reflections.

**Inverse.** In :math:`v = \tilde R Q^\top x`, with :math:`A = \tilde R R` upper triangular of diagonal :math:`d`,

.. math:: \tilde R Q^\top y = v + A \tanh(v + b),

which is solved from the last coordinate to the first: each is an increasing function of one unknown. Then
:math:`x = y - Q R \tanh(v + b)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors._ridge import bounded_slope, ridge, ridge_inverse
from probgen.distributions.bijectors.amortized import Amortized, require_features
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Sylvester"]

_BOUND = 10.0
_LARGEST_LOG = math.log(1e1)


class Sylvester(Amortized):
    r"""A Sylvester map, :math:`y = x + Q R \tanh(\tilde R Q^\top x + b)`: the forward map is closed, the inverse iterative.

    It starts at the identity (:math:`R = 0`) with :math:`\tilde R = I` and random reflections.

    Args:
        features: Length :math:`D` of the vectors, at least 1.
        directions: How many, :math:`M`, from 1 to ``features``; the inverse takes as many steps. None for all.
        reflections: Householder reflections whose product has :math:`Q` as its first columns; None for as many as directions,
            0 for the first unit vectors (the triangular Sylvester flow, to be put between permutations).
        conditioner: A network from a context to the shift of the parameters, ``num_raw`` numbers: ``reflections * features +
            directions * (directions + 2)``; None for a map that takes no context.
        context_shape: Trailing shape of the context, given with the conditioner.
        generator: Source of randomness for the reflections.

    Raises:
        ValueError: a size is out of range, or ``conditioner`` and ``context_shape`` do not come together.

    References:
        van den Berg, Hasenclever, Tomczak, Welling (2018). Sylvester normalizing flows for variational inference.
        https://arxiv.org/abs/1803.05649

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Sylvester
        >>> f = Sylvester(4, 2)
        >>> _ = f.raw_parameters.data.normal_()
        >>> x = torch.randn(5, 4)
        >>> torch.allclose(f.inverse(f(x)), x, atol=1e-4), f.num_raw, f.fast_direction
        (True, 16, 'forward')
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        features: int,
        directions: int | None = None,
        *,
        reflections: int | None = None,
        conditioner: nn.Module | None = None,
        context_shape: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        size = require_features(features) if directions is None else directions
        if not 1 <= size <= features:
            raise ValueError(f"`directions` must lie between 1 and {features}; got {directions}.")
        count = size if reflections is None else reflections
        if count < 0:
            raise ValueError(f"`reflections` must not be negative; got {reflections}.")
        normals = torch.randn(count * features, generator=generator)
        super().__init__(features, torch.cat([normals, torch.zeros(size * (size + 2))]), conditioner, context_shape)
        self.directions = size
        self.reflections = count

    def extra_repr(self) -> str:
        """Sizes."""
        return f"features={self.features}, directions={self.directions}, reflections={self.reflections}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            normals, upper, inner, slopes, bias = self._values(x, context)
            v = _times(inner, self._first(x, normals))
            _, log_slopes, bend = ridge(v, slopes, bias)
            return x + self._out(_times(upper, bend), normals), log_slopes.sum(-1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            normals, upper, inner, slopes, bias = self._values(y, context)
            target = _times(inner, self._first(y, normals))
            above = inner @ upper
            bends: list[Tensor] = []  # from the last coordinate to the first
            log_slopes: list[Tensor] = []
            for i in reversed(range(self.directions)):
                known = torch.zeros_like(target[..., i])
                for j, bend in zip(range(self.directions - 1, i, -1), bends, strict=True):
                    known = known + above[..., i, j] * bend
                _, log_slope, bend = ridge_inverse(target[..., i] - known, slopes[..., i], bias[..., i])
                bends.append(bend)
                log_slopes.append(log_slope)
            bent = torch.stack(bends[::-1], -1)
            return y - self._out(_times(upper, bent), normals), -torch.stack(log_slopes, -1).sum(-1)

    def _values(self, like: Tensor, context: Tensor | None) -> tuple[list[Tensor], Tensor, Tensor, Tensor, Tensor]:
        r"""Unit normals, :math:`R`, :math:`\tilde R`, :math:`d`, :math:`b`, each with the batch of the context."""
        raw, size = self._raw(like, context), self.directions
        sizes = [self.features] * self.reflections
        *vectors, table, log_diagonal, bias = raw.split([*sizes, size * size, size, size], -1)
        table = table.unflatten(-1, (size, size))
        slopes = bounded_slope(table.diagonal(dim1=-2, dim2=-1))
        diagonal = torch.exp(soft_clip(log_diagonal, _LARGEST_LOG))
        table = soft_clip(table, _BOUND)
        upper = table.triu(1) + (slopes / diagonal).diag_embed()
        inner = table.tril(-1).mT + diagonal.diag_embed()
        return [_unit(vector) for vector in vectors], upper, inner, slopes, bias

    def _first(self, x: Tensor, normals: list[Tensor]) -> Tensor:
        r""":math:`Q^\top x`, ``[*batch, directions]``."""
        for normal in normals:
            x = _reflected(x, normal)
        return x[..., : self.directions]

    def _out(self, v: Tensor, normals: list[Tensor]) -> Tensor:
        r""":math:`Q v`, ``[*batch, features]``."""
        rows = F.pad(v, (0, self.features - self.directions))
        for normal in reversed(normals):
            rows = _reflected(rows, normal)
        return rows


def _times(matrix: Tensor, rows: Tensor) -> Tensor:
    """The matrix times every vector, ``[*batch, M]``."""
    return (matrix @ rows.unsqueeze(-1)).squeeze(-1)


def _unit(vector: Tensor) -> Tensor:
    """Length one; a zero vector, along which nothing is reflected, stays."""
    square = vector.square().sum(-1, keepdim=True)
    return vector * torch.where(square > 0, square, 1.0).rsqrt()


def _reflected(rows: Tensor, normal: Tensor) -> Tensor:
    return rows - 2.0 * (rows * normal).sum(-1, keepdim=True) * normal
