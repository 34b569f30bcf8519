"""How much the draws of a conditional law differ: a law that has become a function has no diversity left."""

from __future__ import annotations

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.infer.scoring_rules import mean_difference

__all__ = ["conditional_diversity"]


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
        spread = mean_difference(law.sample(torch.Size((num_draws,))))
    rank = len(law.batch_shape)
    return spread.flatten(rank).mean(-1) if spread.dim() > rank else spread
