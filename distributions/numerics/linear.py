r"""Linear algebra on rows of vectors: full precision under autocast, triangular solves, Householder reflections.

A vector is the last axis. A triangular system :math:`L x_i = b_i` for many :math:`i` is solved as one: with the :math:`b_i`
as rows of :math:`B`, :math:`X L^\top = B`.

The product of :math:`k` reflections :math:`H_i = I - 2 v_i v_i^\top` along unit vectors, the columns of :math:`V`, is

.. math::

    H_1 H_2 \cdots H_k = I - V S^{-1} V^\top, \qquad S = \operatorname{striu}(V^\top V) + \tfrac12 I,

so :math:`k` dependent steps become two matrix products and one small triangular solve.
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch
from torch import Tensor

__all__ = ["full_precision", "reflect", "solve_lower", "solve_upper"]


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """A context in which autocast is off on the device of ``like``.

    Args:
        like: Any tensor.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.linear import full_precision
        >>> with torch.autocast("cpu", dtype=torch.bfloat16), full_precision(torch.ones(1)):
        ...     (torch.ones(2, 2) @ torch.ones(2, 2)).dtype
        torch.float32
    """
    kind = like.device.type
    if not torch.amp.is_autocast_available(kind):
        return contextlib.nullcontext()
    return torch.autocast(kind, enabled=False)


def solve_lower(matrix: Tensor, rows: Tensor, *, unit: bool = False) -> Tensor:
    r"""Solve :math:`L x = b` for every row :math:`b`.

    Args:
        matrix: Lower triangular :math:`L`, shape ``[n, n]``.
        rows: The :math:`b`, shape ``[*batch, n]``.
        unit: Take the diagonal of ``matrix`` to be one.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.linear import solve_lower
        >>> solve_lower(torch.tensor([[2.0, 0.0], [1.0, 1.0]]), torch.tensor([2.0, 3.0]))
        tensor([1., 2.])
    """
    return _solve_rows(matrix.mT, rows, upper=True, unit=unit)


def solve_upper(matrix: Tensor, rows: Tensor, *, unit: bool = False) -> Tensor:
    r"""Solve :math:`U x = b` for every row :math:`b`.

    Args:
        matrix: Upper triangular :math:`U`, shape ``[n, n]``.
        rows: The :math:`b`, shape ``[*batch, n]``.
        unit: Take the diagonal of ``matrix`` to be one.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.linear import solve_upper
        >>> solve_upper(torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([4.0, 2.0]))
        tensor([1., 2.])
    """
    return _solve_rows(matrix.mT, rows, upper=False, unit=unit)


def _solve_rows(transposed: Tensor, rows: Tensor, *, upper: bool, unit: bool) -> Tensor:
    """Solve ``X transposed = rows``; half precision, for which there is no kernel, is solved in single precision."""
    wide = torch.promote_types(torch.promote_types(transposed.dtype, rows.dtype), torch.float32)
    flat = rows.reshape(-1, rows.shape[-1]).to(wide)
    solved: Tensor = torch.linalg.solve_triangular(transposed.to(wide), flat, upper=upper, left=False, unitriangular=unit)
    return solved.reshape(rows.shape).to(rows.dtype)


def reflect(rows: Tensor, vectors: Tensor, *, transpose: bool = False) -> Tensor:
    r"""Apply :math:`H_1 H_2 \cdots H_k`, or its transpose, to every row.

    Args:
        rows: The vectors to be reflected, shape ``[*batch, n]``.
        vectors: The reflections' normals, shape ``[k, n]``, of any positive length. A zero vector reflects nothing.
        transpose: Apply the transpose, which is the inverse.

    References:
        Joffrain, Low, Quintana-Ortí, van de Geijn, Van Zee (2006). Accumulating Householder transformations, revisited.
        https://doi.org/10.1145/1141885.1141886

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.linear import reflect
        >>> reflect(torch.tensor([3.0, 4.0]), torch.tensor([[0.0, 2.0]]))
        tensor([ 3., -4.])
    """
    square = vectors.square().sum(-1, keepdim=True)
    normals = vectors * torch.where(square > 0, square, 1.0).rsqrt()
    gram = normals @ normals.mT
    weights = gram.triu(1) + 0.5 * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    inner = rows @ normals.mT
    inner = solve_lower(weights.mT, inner) if transpose else solve_upper(weights, inner)
    return rows - inner @ normals
