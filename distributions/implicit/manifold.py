r"""Geometry of an injective map :math:`g: \mathbb R^d \to \mathbb R^D`: volume, image, and the linear case.

A small cube of volume :math:`\mathrm dv` is mapped to a parallelepiped of :math:`d`-dimensional volume
:math:`\sqrt{\det J^\top J}\, \mathrm dv`. With :math:`J = QR` it is :math:`\prod_i |R_{ii}|`, which loses no digits to the
square.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn
from torch.distributions.constraints import Constraint

from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Image", "InjectiveLinear", "log_volume"]


def log_volume(function: Callable[[Tensor], Tensor], z: Tensor, event_dim: int = 1) -> Tensor:
    r"""How much a map enlarges volume, :math:`\tfrac12 \log\det(J^\top J)`, from a QR decomposition of its Jacobian.

    Args:
        function: From ``[n, *input]`` to ``[n, *output]``, each example by itself; the output has at least as many coordinates.
        z: Points ``[*batch, *input]``.
        event_dim: Number of dimensions of an input.

    Returns:
        Shape ``[*batch]``; minus infinity where the rank is deficient.

    Raises:
        ValueError: the output has fewer coordinates than the input.

    References:
        Ben-Israel (1999). The change-of-variables formula using matrix volume. https://doi.org/10.1137/S0895479895296896

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import log_volume
        >>> turned = lambda z: torch.stack([z[:, 0].cos(), z[:, 0].sin(), 2 * z[:, 1]], -1)  # a cylinder
        >>> log_volume(turned, torch.zeros(4, 2)).exp()
        tensor([2., 2., 2., 2.])
    """
    lead, event = z.shape[: z.dim() - event_dim], z.shape[z.dim() - event_dim :]
    flat = z.reshape(lead.numel(), event.numel())

    def one(row: Tensor) -> Tensor:
        return function(row.reshape(1, *event)).flatten()

    if not len(flat):
        return flat.sum(-1).reshape(lead)
    jacobian = torch.func.vmap(torch.func.jacfwd(one))(flat)
    if jacobian.shape[-2] < jacobian.shape[-1]:
        raise ValueError(
            f"`function` must give at least {jacobian.shape[-1]} coordinates to be one-to-one; it gives {jacobian.shape[-2]}."
        )
    corner = torch.linalg.qr(jacobian).R.diagonal(dim1=-2, dim2=-1)
    return cast(Tensor, corner.abs().log().sum(-1).reshape(lead))


class Image(Constraint):
    r"""The points that a map reaches, up to rounding: :math:`\lvert x - g(g^+(x)) \rvert \le \epsilon\,(1 + \lvert x \rvert)`.

    Args:
        project: From points ``[*batch, *event]`` to the nearest points that :math:`g(g^+(x))` gives for them.
        event_dim: Number of dimensions of a point.
        tolerance: :math:`\epsilon`; by default the cube root of the unit roundoff of the points, 5e-3 in float32.

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import Image
        >>> diagonal = Image(lambda x: x.mean(-1, keepdim=True).expand_as(x), event_dim=1)
        >>> diagonal.check(torch.tensor([[1.0, 1.0], [1.0, 2.0]]))
        tensor([ True, False])
    """

    def __init__(self, project: Callable[[Tensor], Tensor], event_dim: int, tolerance: float | None = None) -> None:
        self.project = project
        self.tolerance = tolerance
        self._rank = event_dim
        super().__init__()

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """Number of dimensions of a point."""
        return self._rank

    def check(self, value: Tensor) -> Tensor:
        """Whether each point lies on the manifold: ``[*batch, *event]`` to ``[*batch]``."""
        tolerance = torch.finfo(value.dtype).eps ** (1 / 3) if self.tolerance is None else self.tolerance
        gap = sum_rightmost((value - self.project(value)).square(), self._rank).sqrt()
        return gap <= tolerance * (1 + sum_rightmost(value.square(), self._rank).sqrt())

    def __repr__(self) -> str:
        return "Image()"


class InjectiveLinear(nn.Module):
    r"""The map :math:`g(z) = A z + b` with a matrix of full column rank, and its left inverse :math:`g^+(x) = A^+(x - b)`.

    Args:
        matrix: :math:`A`, shape ``[D, d]`` with :math:`d \le D`; a parameter.
        shift: :math:`b`, shape ``[D]``; a parameter, zero by default.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> import torch
        >>> from probgen.distributions.implicit import InjectiveLinear
        >>> line = InjectiveLinear(torch.tensor([[3.0], [4.0]]))
        >>> line.inverse(line(torch.tensor([[2.0]]))).detach()
        tensor([[2.]])
    """

    def __init__(self, matrix: Tensor, shift: Tensor | None = None) -> None:
        super().__init__()
        shift = torch.zeros_like(matrix[..., 0]) if shift is None else shift
        if matrix.dim() != 2 or matrix.shape[0] < matrix.shape[1] or shift.shape != matrix.shape[:1]:
            raise ValueError(
                "`matrix` must be [D, d] with d <= D and `shift` [D]; "
                f"got shapes {tuple(matrix.shape)} and {tuple(shift.shape)}."
            )
        self.matrix = nn.Parameter(matrix)
        self.shift = nn.Parameter(shift)

    def forward(self, z: Tensor) -> Tensor:
        """From ``[*batch, d]`` to ``[*batch, D]``."""
        return z @ self.matrix.mT + self.shift

    def inverse(self, x: Tensor) -> Tensor:
        """The noise of the nearest point of the image: ``[*batch, D]`` to ``[*batch, d]``."""
        return cast(Tensor, (x - self.shift) @ torch.linalg.pinv(self.matrix).mT)
