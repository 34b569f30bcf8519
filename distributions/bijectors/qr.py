r"""Orthogonal maps as products of Householder reflections, and linear maps factored as :math:`W = Q R`.

A reflection along :math:`v` is :math:`H = I - 2 v v^\top / v^\top v`: orthogonal, its own inverse, of determinant :math:`-1`.
Products of :math:`n` reflections reach every orthogonal :math:`n \times n` matrix. With :math:`R` upper triangular and a
positive diagonal :math:`e^{d}`, :math:`|d_i| \le \log 100`, :math:`Q R` reaches the well-conditioned matrices, and

.. math::

    \log|\det Q| = 0, \qquad \log|\det Q R| = \sum_i d_i.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.linear import Linear, Start, bounded_diagonal_log, require_start
from probgen.distributions.numerics.linear import reflect, solve_upper

__all__ = ["Householder", "QRLinear"]


class Householder(Linear):
    r""":math:`y = H_1 H_2 \cdots H_k x`: orthogonal, so volume and length are preserved.

    Args:
        features: Length of the vectors, at least 1.
        reflections: How many, at least 1; None for as many as features (rounded up to an even number for an identity start).
        start: "rotation" for random reflections; "identity" for pairs of equal ones, which cancel.
        generator: Source of randomness for the vectors.

    Raises:
        ValueError: ``features`` or ``reflections`` is less than 1, ``start`` is unknown, or an odd number of reflections is to
            start at the identity.

    References:
        Tomczak, Welling (2016). Improving variational auto-encoders using Householder flow. https://arxiv.org/abs/1611.09630

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Householder
        >>> f = Householder(3, generator=torch.Generator().manual_seed(0))
        >>> y, log_det = f.forward_and_log_det(torch.tensor([3.0, 4.0, 0.0]))
        >>> y.norm(), log_det
        (tensor(5.0000, grad_fn=<LinalgVectorNormBackward0>), tensor(0.))
    """

    _weight_name = "vectors"

    def __init__(
        self,
        features: int,
        reflections: int | None = None,
        *,
        start: Start = "rotation",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, loc=False)
        self.vectors = nn.Parameter(start_vectors(features, reflections, start, generator))

    def _multiply(self, x: Tensor) -> Tensor:
        return reflect(x, self.vectors.to(x.dtype))

    def _solve(self, y: Tensor) -> Tensor:
        return reflect(y, self.vectors.to(y.dtype), transpose=True)


class QRLinear(Linear):
    r""":math:`y = b + H_1 \cdots H_k R x`: a learned dense linear map.

    Args:
        features: Length of the vectors, at least 1.
        reflections: How many, at least 1; None for as many as features (rounded up to an even number for an identity start).
        loc: Learn the translation :math:`b`, started at zero; otherwise there is none.
        start: "identity" for pairs of equal reflections, which cancel; "rotation" for random ones. :math:`R` starts at the
            identity.
        generator: Source of randomness for the vectors.

    Raises:
        ValueError: as ``Householder``.

    References:
        Hoogeboom, van den Berg, Welling (2019). Emerging convolutions for generative normalizing flows.
        https://arxiv.org/abs/1901.11137

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import QRLinear
        >>> f = QRLinear(2, generator=torch.Generator().manual_seed(0))
        >>> bool((f.matrix - torch.eye(2)).abs().max() < 1e-6)
        True
    """

    _weight_name = "vectors"

    def __init__(
        self,
        features: int,
        reflections: int | None = None,
        *,
        loc: bool = True,
        start: Start = "identity",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, loc=loc)
        self.vectors = nn.Parameter(start_vectors(features, reflections, start, generator))
        self.raw_diagonal = nn.Parameter(torch.zeros(features))
        self.above = nn.Parameter(torch.zeros(features, features))

    def _upper(self, like: Tensor) -> Tensor:
        diagonal = bounded_diagonal_log(self.raw_diagonal).exp()
        return (self.above.triu(1) + diagonal.diag_embed()).to(like.dtype)

    def _multiply(self, x: Tensor) -> Tensor:
        return reflect(x @ self._upper(x).mT, self.vectors.to(x.dtype))

    def _solve(self, y: Tensor) -> Tensor:
        return solve_upper(self._upper(y), reflect(y, self.vectors.to(y.dtype), transpose=True))

    def _log_determinant(self, like: Tensor) -> Tensor:
        return bounded_diagonal_log(self.raw_diagonal).sum().to(like.dtype)


def start_vectors(features: int, reflections: int | None, start: str, generator: torch.Generator | None) -> Tensor:
    """Random normals of reflections ``[k, features]``, in equal pairs if the product is to be the identity.

    Args:
        features: Length of the vectors.
        reflections: How many; None for as many as features (rounded up to an even number for an identity start).
        start: "identity" or "rotation".
        generator: Source of randomness.

    Raises:
        ValueError: there is no reflection, ``start`` is unknown, or an odd number is to start at the identity.
    """
    paired = require_start(start) == "identity"
    count = features + (features % 2 if paired else 0) if reflections is None else reflections
    if count < 1:
        raise ValueError(f"`reflections` must be at least 1; got {count}.")
    if paired and count % 2:
        raise ValueError(f"an odd number of reflections cannot start at the identity; got `reflections` = {count}.")
    vectors = torch.randn(count // 2 if paired else count, features, generator=generator)
    return vectors.repeat_interleave(2, dim=0) if paired else vectors
