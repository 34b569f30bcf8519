r"""Linear maps factored as :math:`W = P L U`.

:math:`P` is a fixed permutation, :math:`L` unit lower triangular and :math:`U` upper triangular with diagonal :math:`s_i
e^{d_i}`, :math:`|d_i| \le \log 100`, whose signs :math:`s_i` are fixed. Products cost :math:`O(n^2)` a vector, the inverse is
two substitutions, and

.. math::

    \log|\det W| = \sum_i d_i.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.linear import Linear, Start, bounded_diagonal_log, require_start
from probgen.distributions.numerics.linear import solve_lower, solve_upper

__all__ = ["LULinear"]


class LULinear(Linear):
    r""":math:`y = b + P L U x`; a learned dense linear map whose determinant costs nothing.

    Args:
        features: Length of the vectors, at least 1.
        loc: Learn the translation :math:`b`, started at zero; otherwise there is none.
        start: "identity", or "rotation" for a random rotation or reflection.
        generator: Source of randomness for ``start="rotation"``.

    Raises:
        ValueError: ``features`` is less than 1, or ``start`` is unknown.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039
        Oliva et al. (2018). Transformation autoregressive networks. https://arxiv.org/abs/1801.09819

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LULinear
        >>> f = LULinear(3, start="rotation", generator=torch.Generator().manual_seed(0))
        >>> bool((f.matrix @ f.matrix.T - torch.eye(3)).abs().max() < 1e-5), f(torch.ones(4, 3)).shape
        (True, torch.Size([4, 3]))
    """

    _weight_name = "below"
    order: Tensor
    inverse_order: Tensor
    signs: Tensor

    def __init__(
        self,
        features: int,
        *,
        loc: bool = True,
        start: Start = "identity",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, loc=loc)
        require_start(start)
        order, lower, upper = _factors(features, rotation=start == "rotation", generator=generator)
        diagonal = upper.diagonal()
        self.register_buffer("order", order)
        self.register_buffer("inverse_order", order.argsort())
        self.register_buffer("signs", diagonal.sign().to(torch.get_default_dtype()))
        self.raw_diagonal = nn.Parameter(_raw_diagonal(diagonal.abs()).to(torch.get_default_dtype()))
        self.below = nn.Parameter(lower.tril(-1).to(torch.get_default_dtype()))
        self.above = nn.Parameter(upper.triu(1).to(torch.get_default_dtype()))

    def _lower(self, like: Tensor) -> Tensor:
        eye = torch.eye(self.features, dtype=like.dtype, device=like.device)
        return self.below.tril(-1).to(like.dtype) + eye

    def _upper(self, like: Tensor) -> Tensor:
        diagonal = self.signs * bounded_diagonal_log(self.raw_diagonal).exp()
        return (self.above.triu(1) + diagonal.diag_embed()).to(like.dtype)

    def _multiply(self, x: Tensor) -> Tensor:
        y = x @ self._upper(x).mT @ self._lower(x).mT
        return y.index_select(-1, self.order)

    def _solve(self, y: Tensor) -> Tensor:
        y = y.index_select(-1, self.inverse_order)
        return solve_upper(self._upper(y), solve_lower(self._lower(y), y, unit=True))

    def _log_determinant(self, like: Tensor) -> Tensor:
        return bounded_diagonal_log(self.raw_diagonal).sum().to(like.dtype)


def _factors(features: int, *, rotation: bool, generator: torch.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
    """Order, L and U in float64 such that row i of W is row ``order[i]`` of L U."""
    eye = torch.eye(features, dtype=torch.float64)
    if not rotation:
        return torch.arange(features), eye, eye
    orthogonal = torch.linalg.qr(torch.randn(features, features, dtype=torch.float64, generator=generator))[0]
    permutation, lower, upper = torch.linalg.lu(orthogonal)
    return permutation.argmax(-1), lower, upper


def _raw_diagonal(diagonal: Tensor) -> Tensor:
    """The unconstrained numbers that give this positive diagonal (held just inside the bound)."""
    bound = math.log(1e2)
    return bound * torch.atanh((diagonal.log() / bound).clamp(-0.999, 0.999))
