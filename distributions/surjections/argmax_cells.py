r"""Coordinates of the cells of the argmax: one-to-one maps of :math:`\mathbb R^K` onto :math:`\{u : \arg\max_k u_k = v\}`.

*Thresholding* lets the largest value be free and pushes the others below it:

.. math::

    u_v = r_v, \qquad u_j = u_v - \log(1 + e^{u_v - r_j}), \qquad
    \log \left|\det \frac{\partial u}{\partial r}\right| = \sum_{j \ne v} \log \sigma(u_v - r_j).

*Gumbel* coordinates are those in which K independent standard Gumbel variables, given where their maximum stands, are
independent logistic ones. Write :math:`w_k = e^{-u_k}`: the smallest of K exponential variables has the rate K, and by lack of
memory what the others exceed it by is exponential again, so with :math:`e_k = \log(1 + e^{-r_k})`

.. math::

    w_v = \frac{e_v}K, \qquad w_j = w_v + e_j, \qquad
    \log \left|\det \frac{\partial u}{\partial r}\right|
      = \sum_k \log \sigma(-r_k) - \log e_v - \sum_{j \ne v} \log w_j .

Both matrices are triangular once the largest coordinate comes first.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from probgen.distributions.numerics.stable import log1mexp, softplus_inverse

__all__ = ["CellKind", "cell_coordinates", "cell_point"]

CellKind = Literal["threshold", "gumbel"]
"""Which coordinates: "threshold" or "gumbel"."""


def cell_point(r: Tensor, chosen: Tensor, kind: CellKind) -> tuple[Tensor, Tensor]:
    r"""The point of a cell that has given coordinates.

    Args:
        r: Coordinates ``[..., K]``, any real numbers.
        chosen: One-hot booleans ``[..., K]``: which value is to be the largest.
        kind: Which coordinates.

    Returns:
        Points ``[..., K]`` and :math:`\log|\det \partial u / \partial r|`, ``[...]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections.argmax_cells import cell_point
        >>> chosen = torch.tensor([False, True, False])
        >>> [cell_point(torch.tensor([3.0, 0.0, -9.0]), chosen, kind)[0].argmax().item() for kind in ("threshold", "gumbel")]
        [1, 1]
    """
    if kind == "threshold":
        top = _at(r, chosen)
        below, log_det = top - softplus(top - r), logsigmoid(top - r)
        return torch.where(chosen, r, _under(below, top)), torch.where(chosen, 0.0, log_det).sum(-1)
    exponential = softplus(-r).clamp_min(torch.finfo(r.dtype).tiny)
    first = _at(exponential, chosen) / r.shape[-1]
    w = torch.where(chosen, first, first + exponential)
    log_det = logsigmoid(-r) - torch.where(chosen, exponential, w).log()
    u = -w.log()
    return torch.where(chosen, u, _under(u, _at(u, chosen))), log_det.sum(-1)


def cell_coordinates(u: Tensor, chosen: Tensor, kind: CellKind) -> tuple[Tensor, Tensor]:
    r"""The coordinates of a point in its cell.

    Args:
        u: Points ``[..., K]``.
        chosen: One-hot booleans ``[..., K]``: where the largest value stands.
        kind: Which coordinates.

    Returns:
        Coordinates ``[..., K]`` and :math:`\log|\det \partial r / \partial u|`, ``[...]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections.argmax_cells import cell_coordinates, cell_point
        >>> r, chosen = torch.tensor([3.0, 0.0, -2.0]), torch.tensor([False, True, False])
        >>> [torch.allclose(cell_coordinates(cell_point(r, chosen, k)[0], chosen, k)[0], r) for k in ("threshold", "gumbel")]
        [True, True]
    """
    top = _at(u, chosen)
    gap = torch.where(chosen, 1.0, top - u).clamp_min(torch.finfo(u.dtype).tiny)
    if kind == "threshold":
        return torch.where(chosen, u, top - softplus_inverse(gap)), torch.where(chosen, 0.0, -log1mexp(gap)).sum(-1)
    log_first = -top + math.log(u.shape[-1])
    log_exponential = torch.where(chosen, log_first, log1mexp(gap) - u)  # w_j - w_v = w_j (1 - exp(u_j - u_v))
    r = -_softplus_inverse_of_exp(log_exponential)
    log_det = torch.where(chosen, log_first, -u) - logsigmoid(-r)
    return r, log_det.sum(-1)


def _at(value: Tensor, chosen: Tensor) -> Tensor:
    """The value at the chosen place, ``[..., 1]``."""
    return torch.where(chosen, value, 0.0).sum(-1, keepdim=True)


def _under(value: Tensor, top: Tensor) -> Tensor:
    """The value, but strictly less than ``top`` where rounding made them equal; derivatives are unchanged."""
    fixed = value.detach()
    return value + (torch.minimum(fixed, torch.nextafter(top, torch.full_like(top, -math.inf)).detach()) - fixed)


def _softplus_inverse_of_exp(log_y: Tensor) -> Tensor:
    """Return x with log(1 + exp(x)) = exp(log_y), also where exp(log_y) underflows."""
    small = log_y < -15.0
    y = torch.where(small, 1.0, log_y).exp()
    return torch.where(small, log_y, softplus_inverse(y))
