r"""Jacobians by reverse-mode differentiation: the oracle of the log-determinant laws.

For :math:`y = f(x)` with events flattened to :math:`n` and :math:`m` numbers, :math:`J_{ij} = \partial y_i / \partial x_j`.
On sets whose coordinates depend on one another the determinant is taken in *free coordinates*: with a chart :math:`x =
b(u)` of the domain and free coordinates :math:`\phi` (the simplex without its last entry, the lower triangle of a matrix),

.. math::

    \log|\det J| = L\big(\partial\, \phi_y(f(b(u))) / \partial u\big) - L\big(\partial\, \phi_x(b(u)) / \partial u\big),
    \qquad L(J) = \tfrac12 \log\det J^\top J,

which is :math:`\log|\det J|` for a square :math:`J`, and the change of surface area on a sphere. On the rotations of space all
nine entries are kept, scaled such that this is the change of normalized Haar measure: for a small rotation :math:`d\omega`,
:math:`\lVert dR \rVert_F^2 = 2\, |d\omega|^2`, and the total volume in :math:`\omega` is :math:`8 \pi^2`. Nothing here reads
the log-determinant that is under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import core_constraint
from probgen.distributions.testing.points import chart_of, is_flat

__all__ = ["autograd_log_det", "free_coordinates", "jacobian"]

Map = Callable[[Tensor], Tensor]

HAAR_UNIT = (2**1.5 * 8 * math.pi**2) ** (-1 / 3)


def jacobian(function: Map, x: Tensor, input_dim: int, output_dim: int) -> Tensor:
    """Jacobians of a batched map, one backward pass for each output coordinate.

    Args:
        function: Maps ``[*batch, *input]`` to ``[*batch, *output]`` without mixing the batch.
        x: Where.
        input_dim: Rank of the input event.
        output_dim: Rank of the output event.

    Returns:
        Shape ``[*batch, m, n]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import jacobian
        >>> jacobian(lambda x: x * x, torch.tensor([[1.0, 2.0]]), 1, 1)
        tensor([[[2., 0.],
                 [0., 4.]]])
    """
    x = x.detach().requires_grad_()
    with torch.enable_grad():
        y = function(x)
        flat = _flatten(y, output_dim)
        rows = []
        for index in range(flat.shape[-1]):
            (row,) = (
                torch.autograd.grad(flat[..., index].sum(), x, retain_graph=True, allow_unused=True)
                if y.requires_grad
                else (None,)
            )
            rows.append(torch.zeros_like(x) if row is None else row)
    return torch.stack([_flatten(row, input_dim) for row in rows], dim=-2)


def autograd_log_det(function: Map, x: Tensor, domain: Constraint, codomain: Constraint) -> Tensor:
    r"""Return :math:`\log|\det J_f(x)|` in free coordinates from autograd Jacobians.

    Args:
        function: The map, ``[*batch, *input]`` to ``[*batch, *output]``.
        x: Points of the domain, float64.
        domain: Constraint on ``x``.
        codomain: Constraint on ``y``.

    Returns:
        Shape ``[*batch]``; NaN where the Jacobian is not finite.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing import autograd_log_det
        >>> x = torch.tensor([2.0], dtype=torch.float64)
        >>> autograd_log_det(torch.exp, x, constraints.real, constraints.positive)
        tensor([2.], dtype=torch.float64)
    """
    output_dim = 1 if not is_flat(codomain) else codomain.event_dim

    def free_output(value: Tensor) -> Tensor:
        return free_coordinates(codomain, function(value))

    if is_flat(domain):
        return _volume(jacobian(free_output, x, domain.event_dim, output_dim))
    chart, u = _chart(domain, x)
    u_dim = u.dim() - (x.dim() - domain.event_dim)
    outer = jacobian(lambda value: free_output(chart(value)), u, u_dim, output_dim)
    inner = jacobian(lambda value: free_coordinates(domain, chart(value)), u, u_dim, 1)
    return _volume(outer) - _volume(inner)


def free_coordinates(constraint: Constraint, value: Tensor) -> Tensor:
    """The coordinates that determine a point of a constrained set; flat sets keep theirs.

    Args:
        constraint: The set.
        value: Points, shape ``[*batch, *event]``.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing import free_coordinates
        >>> free_coordinates(constraints.simplex, torch.tensor([0.25, 0.25, 0.5]))
        tensor([0.2500, 0.2500])
    """
    if is_flat(constraint):
        return value
    core = core_constraint(constraint)
    kept = value
    rank = core.event_dim
    if isinstance(core, type(constraints.simplex)):
        kept = value[..., :-1]
    elif isinstance(core, type(constraints.corr_cholesky)):
        row, column = torch.tril_indices(value.shape[-2], value.shape[-1], offset=-1)
        kept, rank = value[..., row, column], 1
    elif "rotation" in type(core).__name__.lower():
        kept = HAAR_UNIT * value
    elif core.event_dim == 2 and value.shape[-1] == value.shape[-2]:
        row, column = torch.tril_indices(value.shape[-2], value.shape[-1])
        kept, rank = value[..., row, column], 1
    return _flatten(kept, constraint.event_dim - core.event_dim + rank)


def _chart(domain: Constraint, x: Tensor) -> tuple[Map, Tensor]:
    """Local coordinates of a curved domain around ``x``."""
    if "sphere" in type(core_constraint(domain)).__name__.lower():
        basis = torch.linalg.qr(torch.cat([x.unsqueeze(-1), torch.eye(x.shape[-1]).to(x).expand(*x.shape, -1)], -1))[0][..., 1:]
        u = torch.zeros(*x.shape[:-1], x.shape[-1] - 1, dtype=x.dtype)

        def around(value: Tensor) -> Tensor:
            moved = x + (basis @ value.unsqueeze(-1)).squeeze(-1)
            length: Tensor = moved.norm(dim=-1, keepdim=True)
            unit: Tensor = moved / length
            return unit

        return around, u
    chart = chart_of(domain)
    return chart, chart.inv(x).detach()


def _volume(matrix: Tensor) -> Tensor:
    finite = matrix.isfinite().all(-1).all(-1)
    safe = torch.where(finite[..., None, None], matrix, torch.zeros_like(matrix))
    if safe.shape[-1] == safe.shape[-2]:
        log_volume = torch.linalg.slogdet(safe)[1]
    else:
        log_volume = 0.5 * torch.linalg.slogdet(safe.mT @ safe)[1]
    return torch.where(finite, log_volume, torch.full_like(log_volume, torch.nan))


def _flatten(value: Tensor, event_dim: int) -> Tensor:
    """Events as one axis, of size one for scalars."""
    return value.reshape(*value.shape[: value.dim() - event_dim], -1)
