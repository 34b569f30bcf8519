r"""Grids of latents by quantiles of the prior: the manifold of a two-dimensional model, traversals of single units.

A grid that is even in *probability* shows what the model draws: with the quantile function :math:`F_j^{-1}` of the unit j under
the prior, the point :math:`\bigl(F_1^{-1}(u), F_2^{-1}(v)\bigr)` for even u and v in (0, 1) stands for the same share of all
draws everywhere. An even grid in z would show corners that are never drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions._seeding import random_stream
from probgen.distributions.events import coordinates, placed
from probgen.infer.evaluation_mode import evaluating

if TYPE_CHECKING:
    from probgen.vae.model import VAE

__all__ = ["manifold", "prior_quantiles", "quantile_grid", "traversals"]

_DRAWS = 8192


def prior_quantiles(prior: TorchDistribution, levels: Sequence[float] | Tensor) -> Tensor:
    r"""Quantiles :math:`F_j^{-1}(u)` of every unit of a law.

    They are exact for independent coordinates with a quantile function; for other laws, such as mixtures, they are those of
    8192 draws from a stream of their own.

    Args:
        prior: The law of one latent, without batch shape.
        levels: K probabilities u in (0, 1).

    Returns:
        Shape ``[K, *latent]``.

    Raises:
        ValueError: a level is not inside (0, 1), or the law has a batch shape.

    Example:
        >>> from probgen.distributions import standard_normal
        >>> from probgen.vae.latent_space import prior_quantiles
        >>> prior_quantiles(standard_normal(2), [0.5, 0.975])
        tensor([[0.0000, 0.0000],
                [1.9600, 1.9600]])
    """
    if prior.batch_shape:
        raise ValueError(f"`prior` must be the law of one latent; got the batch shape {tuple(prior.batch_shape)}.")
    with random_stream(0, torch.device("cpu")), torch.no_grad():
        like = prior.sample()
        u = torch.as_tensor(levels, dtype=like.dtype, device=like.device).reshape(-1)
        if not bool(((u > 0) & (u < 1)).all()):
            raise ValueError(f"`levels` must lie inside (0, 1); got {[round(v, 4) for v in u.tolist()]}.")
        shaped = u.reshape(-1, *(1,) * like.dim()).expand(-1, *like.shape)
        exact = _exact_quantiles(prior, shaped)
        return torch.quantile(prior.sample(torch.Size((_DRAWS,))), u, dim=0) if exact is None else exact


def quantile_grid(prior: TorchDistribution, points: int = 12, *, units: tuple[int, int] = (0, 1)) -> Tensor:
    r"""Latents on a grid that is even in probability, at the levels :math:`(k + \tfrac12)/n`.

    Args:
        prior: The law of one latent vector.
        points: Number n of levels along a side.
        units: The two units that vary, along the first and the second axis; all others stay at their medians.

    Returns:
        Shape ``[n, n, d]``.

    Raises:
        ValueError: latents are not vectors, or a unit does not exist.

    Example:
        >>> from probgen.distributions import standard_normal
        >>> from probgen.vae.latent_space import quantile_grid
        >>> quantile_grid(standard_normal(2), 3)[0]
        tensor([[-0.9674, -0.9674],
                [-0.9674,  0.0000],
                [-0.9674,  0.9674]])
    """
    size = _vector_size(prior)
    if not all(0 <= unit < size for unit in units) or units[0] == units[1]:
        raise ValueError(f"`units` must be two of the {size} units; got {units}.")
    quantiles = prior_quantiles(prior, _middle_levels(points))
    grid = prior_quantiles(prior, [0.5]).expand(points, points, size).clone()
    grid[:, :, units[0]] = quantiles[:, units[0], None]
    grid[:, :, units[1]] = quantiles[:, units[1]]
    return grid


def manifold(
    vae: VAE, points: int = 12, *, units: tuple[int, int] = (0, 1), context: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The grid of latents and the means of the data there: a map of all that a two-dimensional model can draw.

    Args:
        vae: The model, read in evaluation mode.
        points: Number n of levels along a side.
        units: The two units that vary.
        context: Shape ``[*context_shape]``, one context for all, if the model takes one.

    Returns:
        Latents ``[n, n, d]`` and means ``[n, n, *event]``.

    Example:
        >>> import probgen as pg
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.elements import NetworkLaw, NormalElement
        >>> law = lambda n, m: NetworkLaw(pg.nn.MLP(n, 2 * m), NormalElement(), event_shape=(m,), input_shape=(n,))
        >>> vae = pg.vae.VAE(standard_normal(2), law(2, 3), law(3, 2))
        >>> z, x = pg.vae.latent_space.manifold(vae, 5)
        >>> z.shape, x.shape
        (torch.Size([5, 5, 2]), torch.Size([5, 5, 3]))
    """
    with evaluating(vae), torch.no_grad():
        grid = quantile_grid(vae.latent_law(context), points, units=units)
        if context is not None:
            context = context.expand(points, points, *context.shape)
        return grid, vae.decode(grid, context).mean


def traversals(prior: TorchDistribution, center: Tensor, points: int = 8) -> Tensor:
    r"""Walks through single units: the center, with one unit at a time moved through the quantiles of the prior.

    Args:
        prior: The law of one latent vector.
        center: Where to start, such as the mean of a posterior, ``[d]``.
        points: Number n of levels :math:`(k + \tfrac12)/n`.

    Returns:
        Latents ``[d, n, d]``: unit that moves, level, vector.

    Raises:
        ValueError: latents are not vectors, or the center has another size.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.vae.latent_space import traversals
        >>> traversals(standard_normal(2), torch.ones(2), 3)[1]
        tensor([[ 1.0000, -0.9674],
                [ 1.0000,  0.0000],
                [ 1.0000,  0.9674]])
    """
    size = _vector_size(prior)
    if tuple(center.shape) != (size,):
        raise ValueError(f"`center` must have shape ({size},); got {tuple(center.shape)}.")
    quantiles = prior_quantiles(prior, _middle_levels(points)).to(center)  # [n, d]
    chosen = torch.eye(size, dtype=torch.bool, device=center.device)[:, None, :]
    return torch.where(chosen, quantiles, center)


def _middle_levels(points: int) -> Tensor:
    if points < 1:
        raise ValueError(f"`points` must be at least 1; got {points}.")
    return (torch.arange(points, dtype=torch.float64) + 0.5) / points


def _vector_size(prior: TorchDistribution) -> int:
    if len(prior.event_shape) != 1:
        raise ValueError(f"latents must be vectors; got events of shape {tuple(prior.event_shape)}.")
    return int(prior.event_shape[0])


def _exact_quantiles(prior: TorchDistribution, levels: Tensor) -> Tensor | None:
    """Coordinate by coordinate, for laws of independent coordinates that have a quantile function."""
    law = coordinates(placed(prior, levels))
    try:
        return None if law is None else law.icdf(levels)
    except NotImplementedError:
        return None
