r"""Lower triangular linear maps.

.. math::

    y = b + L x, \qquad L = D + N, \quad D = \operatorname{diag}(e^{d}), \quad \log|\det L| = \sum_i d_i,

with :math:`N` strictly lower triangular and :math:`|d_i| \le \log 100`. The inverse is one forward substitution. :math:`L
L^\top` ranges over the covariances, so a standard normal base becomes any multivariate normal.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.linear import Linear, bounded_diagonal_log
from probgen.distributions.numerics.linear import solve_lower

__all__ = ["LowerTriangular"]


class LowerTriangular(Linear):
    r""":math:`y = b + L x` with :math:`L` lower triangular and its diagonal positive; starts at the identity.

    Args:
        features: Length of the vectors, at least 1.
        loc: Learn the translation :math:`b`, started at zero; otherwise there is none.

    Raises:
        ValueError: ``features`` is less than 1.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import LowerTriangular
        >>> f = LowerTriangular(3)
        >>> f.forward_and_log_det(torch.ones(5, 3))[1].shape
        torch.Size([5])
    """

    _weight_name = "below"

    def __init__(self, features: int, *, loc: bool = True) -> None:
        super().__init__(features, loc=loc)
        self.raw_diagonal = nn.Parameter(torch.zeros(features))
        self.below = nn.Parameter(torch.zeros(features, features))

    def _lower(self, like: Tensor) -> Tensor:
        diagonal = bounded_diagonal_log(self.raw_diagonal).exp()
        return (self.below.tril(-1) + diagonal.diag_embed()).to(like.dtype)

    def _multiply(self, x: Tensor) -> Tensor:
        return x @ self._lower(x).mT

    def _solve(self, y: Tensor) -> Tensor:
        return solve_lower(self._lower(y), y)

    def _log_determinant(self, like: Tensor) -> Tensor:
        return bounded_diagonal_log(self.raw_diagonal).sum().to(like.dtype)
