r"""Resampling of weighted particles, and how many of them count.

Systematic resampling takes one uniform number u for each batch element and gives particle i as many children as there are
points :math:`(u + k)/K` in its share of the cumulated weights: :math:`K w_i` in expectation, rounded up or down.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["effective_sample_size", "log_mean_weight", "systematic_ancestors"]


def systematic_ancestors(log_weights: Tensor, uniform: Tensor | None = None) -> Tensor:
    """The parents of the next generation by systematic resampling.

    Args:
        log_weights: Log-weights up to a constant, shape ``[K, *batch]``.
        uniform: Numbers in [0, 1), shape ``[*batch]``; drawn by default.

    Returns:
        Indices ``[K, *batch]``, increasing along the first dimension.

    References:
        Douc, Cappé, Moulines (2005). Comparison of resampling schemes for particle filtering.
        https://arxiv.org/abs/cs/0507025

    Example:
        >>> import math, torch
        >>> from probgen.distributions.numerics.resampling import systematic_ancestors
        >>> systematic_ancestors(torch.tensor([0.5, 0.25, 0.25, 1e-9]).log(), torch.tensor(0.5)).tolist()
        [0, 0, 1, 2]
    """
    count = len(log_weights)
    cumulated = log_weights.softmax(0).cumsum(0).movedim(0, -1).contiguous()
    cumulated = cumulated / cumulated[..., -1:]
    if uniform is None:
        uniform = torch.rand(log_weights.shape[1:], dtype=log_weights.dtype, device=log_weights.device)
    points = (uniform.unsqueeze(-1) + torch.arange(count, dtype=log_weights.dtype, device=log_weights.device)) / count
    points = points.clamp(max=1 - torch.finfo(points.dtype).eps / 2)  # rounded to one, a point would have a parent of no weight
    ancestors = torch.searchsorted(cumulated, points.contiguous(), right=True).clamp(max=count - 1)
    return ancestors.movedim(-1, 0)


def log_mean_weight(log_weights: Tensor) -> Tensor:
    """The log of the mean weight over the first dimension: ``[K, *batch]`` to ``[*batch]``.

    Args:
        log_weights: Log-weights.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.resampling import log_mean_weight
        >>> log_mean_weight(torch.zeros(5))
        tensor(0.)
    """
    return log_weights.logsumexp(0) - math.log(len(log_weights))


def effective_sample_size(log_weights: Tensor) -> Tensor:
    r"""How many equal weights would be worth as much, :math:`(\sum_i w_i)^2 / \sum_i w_i^2`: from 1 to n, or 0 if none counts.

    Args:
        log_weights: Shape ``[n, *batch]``, up to a constant.

    Returns:
        Shape ``[*batch]``.

    References:
        Kong (1992). A note on importance sampling using standardized weights. University of Chicago, technical report 348.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.resampling import effective_sample_size
        >>> effective_sample_size(torch.tensor([[0.0, 0.0], [0.0, -50.0]]))
        tensor([2., 1.])
    """
    none = (log_weights == -torch.inf).all(0)
    size = torch.exp(-(2 * torch.where(none, 0.0, log_weights).log_softmax(0)).logsumexp(0))
    return torch.where(none, 0.0, size)
