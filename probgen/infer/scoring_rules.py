r"""The energy score: a loss of draws against what was seen, for laws that have no density.

.. math:: S(q, y) = \mathbb E\|Y - y\| - \tfrac12 \mathbb E\|Y - Y'\|, \qquad Y, Y' \sim q \text{ independent},

is a *strictly proper scoring rule*: over targets :math:`y \sim p` its expectation is smallest for :math:`q = p`, and what it is
larger elsewhere is half the energy distance, :math:`\mathbb E_p S(q, y) - \mathbb E_p S(p, y) = \tfrac12 D^2(p, q)`. Of m draws

.. math:: \frac1m \sum_i \|y_i - y\| - \frac{1}{2 m (m - 1)} \sum_{i \ne j} \|y_i - y_j\|

is an unbiased estimate, and so is its gradient along reparameterized draws. A norm of whole events judges the whole law; an
absolute value of each coordinate, the law of each coordinate by itself (the continuous ranked probability score). The distance
alone is smallest when all draws are one median.

*Instead of a likelihood.* :math:`p(\theta) \prod_n \exp(-w\, S(q_\theta, y_n))` is a generalized posterior: what
``pyro.factor("y", -w * energy_score(draws, y).sum(0))`` makes of a program. Since the score enters the ELBO linearly, the noise
of few draws averages out. The weight w belongs to the model: nothing but the calibration of the answer decides on it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["energy_score", "mean_difference"]


def energy_score(draws: Tensor, target: Tensor, event_dim: int = 0) -> Tensor:
    r"""How far draws are from a target, less half how far they are from each other.

    .. math:: \frac1m \sum_i \|y_i - y\| - \frac{1}{2 m (m - 1)} \sum_{i \ne j} \|y_i - y_j\|

    Batches broadcast: draws ``[m, 1, *batch, *event]`` of a law and targets ``[n, *batch, *event]`` give the scores of n data.

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

        Pacchiardi, Khoo, Dutta (2024). Generalized Bayesian likelihood-free inference. https://arxiv.org/abs/2104.03889

    Example:
        >>> import torch
        >>> from probgen.infer import energy_score
        >>> y = torch.tensor(0.0)
        >>> energy_score(torch.tensor([1.0, -1.0]), y), energy_score(torch.tensor([1.0, 1.0]), y)
        (tensor(0.), tensor(1.))
    """
    distance = _norm(draws - target, event_dim).mean(0)
    if len(draws) == 1:
        return distance
    if not event_dim:
        return distance - mean_difference(draws) / 2
    apart = [_norm(draws - draws.roll(shift, 0), event_dim).mean(0) for shift in range(1, len(draws))]
    return distance - torch.stack(apart).mean(0) / 2


def mean_difference(draws: Tensor) -> Tensor:
    r"""Gini's mean difference: the mean of :math:`|y_i - y_j|` over pairs of draws, by sorting.

    Args:
        draws: At least two draws ``[m, *shape]``.

    Returns:
        Shape ``[*shape]``.

    Example:
        >>> import torch
        >>> from probgen.infer.scoring_rules import mean_difference
        >>> mean_difference(torch.tensor([0.0, 1.0, 5.0]))  # (1 + 4 + 5) / 3
        tensor(3.3333)
    """
    number = len(draws)
    ranks = 2 * torch.arange(number, dtype=draws.dtype, device=draws.device) - (number - 1)
    total = (draws.sort(0).values * ranks.reshape(-1, *(1,) * (draws.dim() - 1))).sum(0)
    return 2 * total / (number * (number - 1))


def _norm(x: Tensor, event_dim: int) -> Tensor:
    """Absolute values, or roots of mean squares over the last dimensions."""
    if not event_dim:
        return x.abs()
    flat = x.flatten(x.dim() - event_dim)
    norm: Tensor = torch.linalg.vector_norm(flat, dim=-1)  # its gradient at 0 is 0
    return norm / math.sqrt(max(flat.shape[-1], 1))
