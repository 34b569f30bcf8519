r"""Rotations as the matrix exponential of a skew-symmetric matrix.

.. math::

    Q = e^{A}, \qquad A^\top = -A \;\Rightarrow\; Q^\top Q = e^{-A} e^{A} = I, \quad \det Q = e^{\operatorname{tr} A} = 1.

The map :math:`A \mapsto e^A` is onto the rotations (the orthogonal matrices of determinant one), and smooth everywhere.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors.linear import Linear, Start, require_start

__all__ = ["Orthogonal"]


class Orthogonal(Linear):
    r""":math:`y = e^{A} x` with :math:`A` skew-symmetric: a learned rotation; log-determinant exactly 0.

    The exponential costs :math:`O(n^3)` a call, whatever the batch.

    Args:
        features: Length of the vectors, at least 1.
        start: "identity", or "rotation" for a random rotation.
        generator: Source of randomness for ``start="rotation"``.

    Raises:
        ValueError: ``features`` is less than 1, or ``start`` is unknown.

    References:
        Lezcano-Casado, Martínez-Rubio (2019). Cheap orthogonal constraints in neural networks.
        https://arxiv.org/abs/1901.08428

    Example:
        >>> import math, torch
        >>> from probgen.distributions.bijectors import Orthogonal
        >>> f = Orthogonal(2)
        >>> _ = f.above.data.fill_(math.pi / 2)
        >>> f.matrix.round(decimals=4).abs()
        tensor([[0., 1.],
                [1., 0.]], grad_fn=<AbsBackward0>)
    """

    _weight_name = "above"

    def __init__(
        self,
        features: int,
        *,
        start: Start = "identity",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(features, loc=False)
        require_start(start)
        above = torch.zeros(features, features)
        if start == "rotation":
            above = torch.randn(features, features, generator=generator)
        self.above = nn.Parameter(above)

    def _rotation(self, like: Tensor) -> Tensor:
        above = self.above.triu(1)
        rotation: Tensor = torch.linalg.matrix_exp(above - above.mT)
        return rotation.to(like.dtype)

    def _multiply(self, x: Tensor) -> Tensor:
        return x @ self._rotation(x).mT

    def _solve(self, y: Tensor) -> Tensor:
        return y @ self._rotation(y)
