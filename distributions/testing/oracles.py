r"""Independent answers: quadrature, enumeration, finite differences, references.

An oracle never calls the code that it judges for anything but the quantity under test: the mass of a density comes from its
values on a grid, not from its ``cdf``; a gradient from differences, not from autograd.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import is_real
from probgen.distributions.testing.points import chart_of

__all__ = [
    "central_difference",
    "enumerated_mass",
    "event_points",
    "free_coordinates_of",
    "free_dimension",
    "grid_cdf",
    "placed_grid",
    "placement",
    "reference_log_prob",
]

REACH = 7.0


def free_dimension(support: Constraint, event_shape: torch.Size) -> int:
    """Number of free coordinates of one event.

    Args:
        support: The set.
        event_shape: Its event.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing import free_dimension
        >>> free_dimension(constraints.simplex, torch.Size((3,)))
        2
    """
    if is_real(support):
        return event_shape.numel()
    return torch.Size(chart_of(support).inverse_shape(event_shape)).numel()


def placement(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Median and Cholesky factor of the covariance without outliers, of a cloud of points.

    Args:
        draws: Shape ``[n, *batch, dim]``.

    Returns:
        Shapes ``[*batch, dim]`` and ``[*batch, dim, dim]``, float64.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing.oracles import placement
        >>> middle, factor = placement(torch.linspace(-1.0, 1.0, 101).unsqueeze(-1))
        >>> middle
        tensor([0.], dtype=torch.float64)
    """
    cloud = draws.detach().double()
    middle = cloud.median(0).values
    spread = (cloud - middle).abs().median(0).values * 1.4826 + 1e-12
    kept = torch.minimum(torch.maximum(cloud - middle, -6 * spread), 6 * spread)
    covariance = torch.einsum("n...i,n...j->...ij", kept, kept) / len(kept)
    return middle, torch.linalg.cholesky(covariance + torch.diag_embed(1e-12 * spread.square() + 1e-24))


def placed_grid(draws: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    r"""Return a grid that suits a cloud of points, and the logarithm of the volume of each of its cells.

    The grid is uniform in :math:`v`, :math:`|v| \le 7`, with points :math:`u = m + L \sinh v`, where :math:`m` is the median of
    the cloud and :math:`L L^\top` its covariance without outliers: fine where the mass is, and 550 deviations wide.

    Args:
        draws: Points in free coordinates, shape ``[n, *batch, dim]``; they only place the grid.
        cells: Cells along each axis.

    Returns:
        Points ``[cells**dim, *batch, dim]`` and log-volumes ``[cells**dim, *batch]``, float64.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import placed_grid
        >>> u, log_volume = placed_grid(torch.randn(100, 3, 2), cells=11)
        >>> u.shape, log_volume.shape
        (torch.Size([121, 3, 2]), torch.Size([121, 3]))
    """
    (middle, factor), dim = placement(draws), draws.shape[-1]
    width = 2 * REACH / cells
    axis = (torch.arange(cells, dtype=torch.float64) + 0.5) * width - REACH
    v = torch.stack(torch.meshgrid(*([axis] * dim), indexing="ij"), -1).reshape(-1, dim)
    ones = (1,) * (middle.dim() - 1)
    u = middle + torch.einsum("...ij,n...j->n...i", factor, v.sinh().reshape(-1, *ones, dim).expand(len(v), *middle.shape))
    inside = v.cosh().log().sum(-1) + dim * math.log(width)
    log_volume = inside.reshape(-1, *ones) + factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    return u, log_volume


def grid_cdf(distribution: Distribution, cells: int = 40_000) -> Callable[[Tensor], Tensor]:
    """The distribution function of a scalar density with an empty batch shape, from values of the density alone.

    Args:
        distribution: A continuous scalar distribution.
        cells: Cells of the grid.

    Example:
        >>> import torch
        >>> from torch.distributions import Normal
        >>> from probgen.distributions.testing import grid_cdf
        >>> grid_cdf(Normal(torch.tensor(0.0, dtype=torch.float64), 1.0))(torch.tensor([0.0], dtype=torch.float64))
        tensor([0.5000], dtype=torch.float64)
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = distribution.sample(torch.Size((2000,)))
    u, log_volume = placed_grid(free_coordinates_of(_support(distribution), draws, 1), cells)
    value, log_weight = event_points(_support(distribution), torch.Size(), u)
    log_prob = distribution.log_prob(value.to(draws.dtype)).double()
    mass = (log_prob + log_weight + log_volume).nan_to_num(-torch.inf).exp()
    total = torch.cat([torch.zeros(1, dtype=torch.float64), mass.cumsum(0)])
    halves = torch.cat([u[:1] - (u[1:2] - u[:1]) / 2, (u[1:] + u[:-1]) / 2, u[-1:] + (u[-1:] - u[-2:-1]) / 2])
    borders, _ = event_points(_support(distribution), torch.Size(), halves)
    order = borders.argsort()
    borders, total = borders[order], (total if borders[0] < borders[-1] else 1 - total)[order]

    def cdf(x: Tensor) -> Tensor:
        place = torch.searchsorted(borders, x.double()).clamp(1, len(borders) - 1)
        left, right = borders[place - 1], borders[place]
        share = ((x.double() - left) / (right - left)).clamp(0, 1).nan_to_num(1.0)
        return total[place - 1] + share * (total[place] - total[place - 1])

    return cdf


def enumerated_mass(distribution: Distribution, most: int = 2**16) -> Tensor:
    """Sum the probabilities of a finite support.

    Args:
        distribution: A discrete distribution with ``enumerate_support``.
        most: Largest support that is enumerated.

    Raises:
        ValueError: the support is larger.

    Example:
        >>> import torch
        >>> from torch.distributions import Bernoulli
        >>> from probgen.distributions.testing import enumerated_mass
        >>> enumerated_mass(Bernoulli(torch.tensor(0.3)))
        tensor(1., dtype=torch.float64)
    """
    support = distribution.enumerate_support(expand=True)
    if len(support) > most:
        raise ValueError(f"the support must have at most {most} points; got {len(support)}.")
    return distribution.log_prob(support).double().exp().sum(0)


def central_difference(function: Callable[[Tensor], Tensor], x: Tensor, direction: Tensor, step: float = 1e-6) -> Tensor:
    """Directional derivative by a central difference.

    Args:
        function: Any map of a tensor.
        x: Where, float64.
        direction: Along which direction, same shape.
        step: Step length.

    Example:
        >>> import torch
        >>> from probgen.distributions.testing import central_difference
        >>> central_difference(torch.sin, torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0))
        tensor(1.0000, dtype=torch.float64)
    """
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


def reference_log_prob(reference: Any, value: Tensor) -> Tensor:
    """The log-density of a torch distribution or a frozen scipy distribution.

    Args:
        reference: Has ``log_prob``, ``logpdf`` or ``logpmf``.
        value: Points.

    Raises:
        TypeError: it has none of them.

    Example:
        >>> import torch
        >>> from scipy.stats import norm
        >>> from probgen.distributions.testing import reference_log_prob
        >>> reference_log_prob(norm(), torch.zeros(1))
        tensor([-0.9189], dtype=torch.float64)
    """
    if hasattr(reference, "log_prob"):
        return reference.log_prob(value).double()  # type: ignore[no-any-return]
    for name in ("logpdf", "logpmf"):
        if hasattr(reference, name):
            return torch.as_tensor(getattr(reference, name)(value.detach().double().numpy()), dtype=torch.float64)
    raise TypeError(f"`reference` must have log_prob, logpdf or logpmf; got {type(reference).__name__}.")


def _support(distribution: Distribution) -> Constraint:
    return cast(Constraint, distribution.support)


def free_coordinates_of(support: Constraint, value: Tensor, dim: int) -> Tensor:
    """Free coordinates ``[*leading, dim]`` of events, in the chart of ``biject_to``.

    Args:
        support: The set.
        value: Events ``[*leading, *event]``.
        dim: Their number of free coordinates.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing.oracles import free_coordinates_of
        >>> free_coordinates_of(constraints.positive, torch.tensor([1.0]), 1)
        tensor([[0.]])
    """
    u = value if is_real(support) else chart_of(support).inv(value)
    return u.reshape(*value.shape[: value.dim() - support.event_dim], dim).nan_to_num().clamp(-1e6, 1e6)


def event_points(support: Constraint, event: torch.Size, u: Tensor) -> tuple[Tensor, Tensor]:
    """Events at free coordinates, and the logarithm of the volume factor of the chart.

    Args:
        support: The set.
        event: Shape of one event.
        u: Free coordinates ``[*leading, dim]``.

    Returns:
        Shapes ``[*leading, *event]`` and ``[*leading]``.

    Example:
        >>> import torch
        >>> from torch.distributions import constraints
        >>> from probgen.distributions.testing.oracles import event_points
        >>> event_points(constraints.positive, torch.Size(), torch.zeros(2, 1))[0]
        tensor([1., 1.])
    """
    leading = u.shape[:-1]
    if is_real(support):
        return u.reshape(*leading, *event), torch.zeros(leading, dtype=u.dtype)
    chart = chart_of(support)
    free = u.reshape(torch.Size(chart.inverse_shape(torch.Size((*leading, *event)))))
    value = chart(free)
    log_weight = chart.log_abs_det_jacobian(free, value)
    return value, log_weight.reshape(*leading, -1).sum(-1)
