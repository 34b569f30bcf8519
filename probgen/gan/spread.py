r"""How draws of one law differ from each other, and a distance to a target that does not punish it.

The *energy score* of draws :math:`y_1, \dots, y_m` and a target :math:`y`,

.. math:: \frac1m \sum_i \|y_i - y\| - \frac{1}{2 m (m - 1)} \sum_{i \ne j} \|y_i - y_j\|,

is an unbiased estimate of :math:`\mathbb E\|Y - y\| - \tfrac12 \mathbb E\|Y - Y'\|`, which is smallest in expectation over
targets when the draws have their law: their whole law where the norm is that of the event, the law of each coordinate by
itself (the continuous ranked probability score) where it is an absolute value. The distance alone is smallest when all draws
are one median.
"""

from __future__ import annotations

import math

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

__all__ = ["conditional_diversity", "energy_score"]


def energy_score(draws: Tensor, target: Tensor, event_dim: int = 0) -> Tensor:
    r"""How far draws are from a target, less half how far they are from each other.

    Args:
        draws: Independent draws ``[m, *batch, *event]``.
        target: What was seen, ``[*batch, *event]``.
        event_dim: Number of event dimensions. The norm of an event is the root of the *mean* square of its coordinates, so that
            it has their units; with 0 every coordinate is an event.

    Returns:
        Shape ``[*batch]``; for one draw the distance alone.

    References:
        Gneiting, Raftery (2007). Strictly proper scoring rules, prediction, and estimation.
        https://doi.org/10.1198/016214506000001437

    Example:
        >>> import torch
        >>> from probgen.gan import energy_score
        >>> y = torch.tensor(0.0)
        >>> energy_score(torch.tensor([1.0, -1.0]), y), energy_score(torch.tensor([1.0, 1.0]), y)
        (tensor(0.), tensor(1.))
    """
    distance = _norm(draws - target, event_dim).mean(0)
    if len(draws) == 1:
        return distance
    if not event_dim:
        return distance - _between(draws) / 2
    apart = [_norm(draws - draws.roll(shift, 0), event_dim).mean(0) for shift in range(1, len(draws))]
    return distance - torch.stack(apart).mean(0) / 2


def conditional_diversity(law: TorchDistribution, num_draws: int = 8) -> Tensor:
    r"""How much the draws of a conditional law differ under one and the same context; without gradients.

    Args:
        law: The law of an event for each context, batch shape ``[*batch]``.
        num_draws: Draws m for each context.

    Returns:
        The mean over coordinates and pairs of draws of :math:`|y_i - y_j|`, ``[*batch]``; 0 for a function of the context.

    Raises:
        ValueError: fewer than two draws.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.gan import conditional_diversity
        >>> _ = torch.manual_seed(0)
        >>> law = dist.Uniform(torch.zeros(2, 1), torch.tensor([[3.0], [6.0]])).to_event(1)
        >>> conditional_diversity(law, 2000).round()  # a third of the width
        tensor([1., 2.])
    """
    if num_draws < 2:
        raise ValueError(f"`num_draws` must be at least 2; got {num_draws}.")
    with torch.no_grad():
        spread = _between(law.sample(torch.Size((num_draws,))))
    rank = len(law.batch_shape)
    return spread.flatten(rank).mean(-1) if spread.dim() > rank else spread


def _norm(x: Tensor, event_dim: int) -> Tensor:
    """Absolute values, or roots of mean squares over the last dimensions."""
    if not event_dim:
        return x.abs()
    flat = x.flatten(x.dim() - event_dim)
    norm: Tensor = torch.linalg.vector_norm(flat, dim=-1)  # its gradient at 0 is 0
    return norm / math.sqrt(max(flat.shape[-1], 1))


def _between(draws: Tensor) -> Tensor:
    """The mean of ``|y_i - y_j|`` over pairs of draws, ``[m, *shape]`` to ``[*shape]``, by sorting."""
    number = len(draws)
    ranks = 2 * torch.arange(number, dtype=draws.dtype, device=draws.device) - (number - 1)
    total = (draws.sort(0).values * ranks.reshape(-1, *(1,) * (draws.dim() - 1))).sum(0)
    return 2 * total / (number * (number - 1))
