r"""Any matrix as an observation; it is factorized where it has to be inverted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from probgen.diffusion.conditioning.linear_operator import LinearOperator
from probgen.distributions._checks import values_readable

__all__ = ["MatrixOperator", "gram_root"]


class MatrixOperator(LinearOperator):
    r"""Multiplication of the flattened datum with a matrix.

    Args:
        matrix: A, shape ``[M, D]``; its pseudo-inverse is computed once, in float64.
        event_shape: Shape of one datum, with D coordinates; ``(D,)`` by default.

    Raises:
        ValueError: not a matrix, or the event has another size.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning import MatrixOperator
        >>> difference = MatrixOperator(torch.tensor([[1.0, -1.0]]))
        >>> difference.apply(torch.tensor([5.0, 3.0])), difference.pseudo_inverse(torch.tensor([2.0]))
        (tensor([2.]), tensor([ 1., -1.]))
    """

    def __init__(self, matrix: Tensor, event_shape: Sequence[int] | None = None) -> None:
        if matrix.dim() != 2:
            raise ValueError(f"`matrix` must have shape [M, D]; got {tuple(matrix.shape)}.")
        shape = torch.Size((matrix.shape[1],) if event_shape is None else event_shape)
        if shape.numel() != matrix.shape[1]:
            raise ValueError(f"`event_shape` must have the {matrix.shape[1]} coordinates of `matrix`; got {tuple(shape)}.")
        super().__init__(shape, (matrix.shape[0],))
        self.matrix = matrix.detach().double()
        self._inverse = torch.linalg.pinv(self.matrix)

    def apply(self, x: Tensor) -> Tensor:
        """The product with the matrix."""
        return self._flat(x) @ self.matrix.mT.to(x)

    def transpose(self, y: Tensor) -> Tensor:
        """The product with the transposed matrix."""
        return (y @ self.matrix.to(y)).reshape(*y.shape[:-1], *self.event_shape)

    def pseudo_inverse(self, y: Tensor) -> Tensor:
        """The product with the Moore–Penrose inverse."""
        result: Tensor = (y @ self._inverse.mT.to(y)).reshape(*y.shape[:-1], *self.event_shape)
        return result

    def solve(self, y: Tensor, variance: Tensor, noise: float) -> tuple[Tensor, Tensor]:
        """By a Cholesky factorization for every datum, ``M^3`` operations each.

        Raises:
            ValueError: rows depend on each other and ``noise`` is zero.
        """
        matrix = self.matrix.to(y)
        identity = torch.eye(len(matrix), dtype=y.dtype, device=y.device)
        factor = gram_root((matrix * self._flat(variance).unsqueeze(-2)) @ matrix.mT + noise * identity)
        solution = torch.cholesky_solve(y.unsqueeze(-1), factor.expand(*y.shape, y.shape[-1])).squeeze(-1)
        return solution, 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def dense(self, like: Tensor) -> Tensor:
        """The matrix."""
        return self.matrix.to(like)

    def _flat(self, x: Tensor) -> Tensor:
        return x.flatten(x.dim() - len(self.event_shape))


def gram_root(gram: Tensor) -> Tensor:
    r"""The Cholesky factor of the covariance :math:`A V A^\top + \sigma_y^2 I` of an observation.

    Args:
        gram: The covariance ``[*batch, M, M]``.

    Raises:
        ValueError: it is singular.

    Example:
        >>> import torch
        >>> from probgen.diffusion.conditioning.matrix_operator import gram_root
        >>> gram_root(torch.tensor([[4.0]]))
        tensor([[2.]])
    """
    root, failed = torch.linalg.cholesky_ex(gram)
    if values_readable(failed) and bool(failed.any()):
        raise ValueError(
            "the rows of the observation's matrix depend on each other, so that without noise it has no density: give "
            "`noise` > 0, drop the rows that follow from others, or take `method='null space'`."
        )
    return cast(Tensor, root)
