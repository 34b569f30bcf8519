r"""Squares of polynomials on a cell: positive, and integrated without error.

A polynomial p of degree n - 1 on a cell :math:`[0, 1]` is given by its values at n Gauss–Lobatto nodes, which include both
ends, so that cells which share the value at a knot join continuously. Its square has degree 2n - 2, and Gauss–Legendre
quadrature with n nodes is exact up to degree 2n - 1:

.. math:: \int_0^\tau p(t)^2\, dt = \tau \sum_j w_j\, p(\tau u_j)^2,

a sum of squares, increasing in :math:`\tau`, with the derivative :math:`p(\tau)^2`. Polynomials are evaluated in Legendre's
basis by Clenshaw's recurrence, which is stable; in powers 8 nodes already cost three digits.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import Legendre, legendre
from torch import Tensor

__all__ = ["SquaredPolynomials"]


class SquaredPolynomials:
    """The rule for polynomials of one degree.

    Args:
        nodes: Nodes of a cell, at least 2.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.monotone._squared_polynomials import SquaredPolynomials
        >>> rule = SquaredPolynomials(3)
        >>> values = torch.tensor(rule.nodes) ** 2  # of the polynomial t^2 at 0, 1/2, 1
        >>> rule.areas(values[None]), rule.integral_and_value(values, torch.tensor([0.5]))
        (tensor([0.2000]), (tensor([0.0063]), tensor([0.0625])))
    """

    def __init__(self, nodes: int) -> None:
        inner = Legendre.basis(nodes - 1).deriv().roots()
        lobatto = np.array([-1.0, *np.sort(np.real(inner)), 1.0])
        gauss, weights = legendre.leggauss(nodes)
        self.nodes = tuple(map(float, (1 + lobatto) / 2))
        self._points, self._weights = tuple(map(float, (1 + gauss) / 2)), tuple(map(float, weights / 2))
        to_coefficients = np.linalg.inv(legendre.legvander(lobatto, nodes - 1))
        self._coefficients = to_coefficients.tolist()
        self._at_gauss = (legendre.legvander(gauss, nodes - 1) @ to_coefficients).tolist()

    def areas(self, values: Tensor) -> Tensor:
        """Integrals of the squares over whole cells.

        Args:
            values: Polynomials at the nodes, ``[*batch, nodes]``.

        Returns:
            Shape ``[*batch]``.
        """
        at_gauss = values @ values.new_tensor(self._at_gauss).mT
        return at_gauss.square() @ values.new_tensor(self._weights)

    def integral_and_value(self, values: Tensor, fraction: Tensor) -> tuple[Tensor, Tensor]:
        r"""The integral of the square from 0 to :math:`\tau`, and the square at :math:`\tau`.

        Args:
            values: Polynomials at the nodes, ``[*batch, nodes]``.
            fraction: :math:`\tau`, ``[*batch]``.

        Returns:
            Two tensors ``[*batch]``.
        """
        coefficients = values @ values.new_tensor(self._coefficients).mT
        points = fraction[..., None] * values.new_tensor((*self._points, 1.0))
        squares = _clenshaw(coefficients, 2.0 * points - 1.0).square()
        return fraction * (squares[..., :-1] @ values.new_tensor(self._weights)), squares[..., -1]


def _clenshaw(coefficients: Tensor, x: Tensor) -> Tensor:
    """Legendre series ``[*batch, n]`` at points ``[*batch, m]``."""
    after = before = coefficients.new_zeros(())
    for k in reversed(range(coefficients.shape[-1])):
        now = coefficients[..., k, None] + (2 * k + 1) / (k + 1) * x * before - (k + 1) / (k + 2) * after
        before, after = now, before
    return before
