r"""Adaptive quadrature in one or two coordinates: the oracle of the laws of mass.

A density may have a sharp peak, a kink or a jump anywhere. Cells are halved along every axis where Simpson's rule of a cell
and the sum over its parts disagree, until the sum of the disagreements is small or the evaluations are spent; that sum
is returned as the error. Densities are integrated in coordinates :math:`v`, :math:`|v| \le 7`, with :math:`u = m + L \sinh v`
in free coordinates, where :math:`m` and :math:`L` come from draws: the first mesh is fine where the mass is, and reaches
550 deviations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from probgen.distributions.testing.oracles import REACH, event_points, free_coordinates_of, free_dimension, placement

__all__ = ["adaptive_integral", "density_mass", "placed_integral"]

FIRST_CELLS = {1: 256, 2: 20}
FULL_ROUNDS = {1: 4, 2: 2}
NODES, WEIGHTS = (-1.0, 0.0, 1.0), (1 / 3, 4 / 3, 1 / 3)


def adaptive_integral(
    function: Callable[[Tensor], Tensor],
    dim: int,
    *,
    reach: float = REACH,
    tolerance: float = 2e-5,
    evaluations: int = 1_000_000,
) -> tuple[Tensor, Tensor]:
    """Integrate a function over the cube ``[-reach, reach]^dim``.

    Args:
        function: Maps points ``[n, dim]``, float64, to values ``[n, *batch]``; all of the batch shares one mesh.
        dim: 1 or 2.
        reach: Half the side of the cube.
        tolerance: Error at which to stop.
        evaluations: Evaluations at which to stop, roughly.

    Returns:
        The integral and an estimate of its error, both of shape ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.quadrature import adaptive_integral
        >>> value, error = adaptive_integral(lambda x: torch.exp(-1e4 * (x[:, 0] - 0.3) ** 2), dim=1)
        >>> round(float(value), 6), float(error) < 1e-4
        (0.017725, True)
    """
    count = FIRST_CELLS[dim]
    half = torch.full((count**dim,), reach / count, dtype=torch.float64)
    axis = (torch.arange(count, dtype=torch.float64) + 0.5) * (2 * reach / count) - reach
    center = torch.stack(torch.meshgrid(*([axis] * dim), indexing="ij"), -1).reshape(-1, dim)
    value = _rule(function, center, half)
    error = torch.full_like(value, torch.inf)
    spent, cost, rounds = len(half) * 3**dim, 6**dim, 0
    while spent < evaluations:
        rounds += 1
        worst = error.reshape(len(error), -1).amax(-1)
        chosen = (worst * len(worst) > tolerance).nonzero().squeeze(-1)
        if not len(chosen):
            break
        if len(chosen) * cost > evaluations - spent:
            chosen = worst.topk(max((evaluations - spent) // cost, 1)).indices
        kept = torch.ones(len(half), dtype=torch.bool).index_fill(0, chosen, value=False).nonzero().squeeze(-1)
        part_center, part_half = _halved(center[chosen], half[chosen])
        parts = _rule(function, part_center, part_half)
        doubt = (parts.unflatten(0, (len(chosen), -1)).sum(1) - value[chosen]).abs() / 2**dim
        if rounds < FULL_ROUNDS[dim]:
            doubt = torch.full_like(doubt, torch.inf)
        center, half = torch.cat([center[kept], part_center]), torch.cat([half[kept], part_half])
        value = torch.cat([value[kept], parts])
        error = torch.cat([error[kept], doubt.repeat_interleave(2**dim, dim=0)])
        spent += len(chosen) * cost
    return value.sum(0), error.sum(0)


def placed_integral(log_density: Callable[[Tensor], Tensor], draws: Tensor) -> tuple[Tensor, Tensor]:
    """Integrate a density over all of space, on a mesh placed by a cloud of points.

    Args:
        log_density: Maps free coordinates ``[n, *batch, dim]`` to log-densities ``[n, *batch]``.
        draws: Points ``[k, *batch, dim]``; they only place the mesh.

    Returns:
        The integral and an estimate of its error, ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.quadrature import placed_integral
        >>> normal = torch.distributions.Normal(torch.tensor(5.0, dtype=torch.float64), 1e-3)
        >>> mass, _ = placed_integral(lambda u: normal.log_prob(u[..., 0]), normal.sample((500, 1)))
        >>> round(float(mass), 4)
        1.0
    """
    middle, factor = placement(draws)
    ones, dim = (1,) * (middle.dim() - 1), draws.shape[-1]
    log_scale = factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)

    def function(v: Tensor) -> Tensor:
        stretched = v.sinh().reshape(-1, *ones, dim).expand(len(v), *middle.shape)
        u = middle + torch.einsum("...ij,n...j->n...i", factor, stretched)
        term = log_density(u) + v.cosh().log().sum(-1).reshape(-1, *ones) + log_scale
        return term.nan_to_num(-torch.inf, torch.inf, -torch.inf).exp()

    return adaptive_integral(function, dim)


def density_mass(distribution: Distribution) -> tuple[Tensor, Tensor]:
    """The mass of a density of one or two free coordinates, from its values alone.

    Args:
        distribution: A continuous distribution with at most two free coordinates.

    Returns:
        The mass and an estimate of its error, ``[*batch]``, float64.

    Raises:
        ValueError: there are more than two free coordinates.

    Example:
        >>> import torch
        >>> from torch.distributions import Normal
        >>> from probgen.distributions.testing.quadrature import density_mass
        >>> mass, error = density_mass(Normal(torch.tensor(1.0, dtype=torch.float64), 2.0))
        >>> round(float(mass), 4), float(error) < 1e-4
        (1.0, True)
    """
    support, event = cast(Constraint, distribution.support), distribution.event_shape
    dim = free_dimension(support, event)
    if dim not in (1, 2):
        raise ValueError(f"`distribution` must have one or two free coordinates; got {dim}.")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = distribution.sample(torch.Size((2000,)))

    def log_density(u: Tensor) -> Tensor:
        value, log_weight = event_points(support, event, u)
        return distribution.log_prob(value.to(draws.dtype)).double() + log_weight

    return placed_integral(log_density, free_coordinates_of(support, draws, dim))


def _rule(function: Callable[[Tensor], Tensor], center: Tensor, half: Tensor) -> Tensor:
    """Simpson's rule along each axis, ``[cells, *batch]``; its nodes reach the edges, so that no jump hides between cells."""
    dim = center.shape[-1]
    nodes, weights = (torch.tensor(entries, dtype=torch.float64) for entries in (NODES, WEIGHTS))
    offsets = torch.cartesian_prod(*([nodes] * dim)).reshape(-1, dim)
    products = torch.cartesian_prod(*([weights] * dim)).reshape(-1, dim).prod(-1)
    points = center.unsqueeze(1) + half.reshape(-1, 1, 1) * offsets
    values = function(points.reshape(-1, dim)).unflatten(0, (len(center), -1))
    volume = half**dim
    return torch.einsum("ck...,k->c...", values, products) * volume.reshape(-1, *(1 for _ in values.shape[2:]))


def _halved(center: Tensor, half: Tensor) -> tuple[Tensor, Tensor]:
    """The ``2**dim`` parts of every cell, one cell after the other."""
    dim = center.shape[-1]
    signs = torch.cartesian_prod(*([torch.tensor([-0.5, 0.5], dtype=torch.float64)] * dim)).reshape(-1, dim)
    parts = center.unsqueeze(1) + half.reshape(-1, 1, 1) * signs
    return parts.reshape(-1, dim), (0.5 * half).repeat_interleave(2**dim)
