r"""The entropy of an autoregressive law from draws, without bias.

By the chain rule :math:`H = \sum_i \mathbb E\, H\bigl(p(\cdot \mid x_{A_i})\bigr)`: along a draw, the entropies of the
conditional laws are summed, which for elements that know theirs has less variance than :math:`-\log p(x)` and the same mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.distributions.estimate import Estimate, mean_estimate

if TYPE_CHECKING:
    from probgen.distributions.autoregressive.factorized import FactorizedLaw

__all__ = ["entropy_estimate"]


def entropy_estimate(law: FactorizedLaw, num_draws: int = 256) -> Estimate:
    """Entropy in nats, shape ``[*batch]``, with its standard error (NaN if there is one draw only).

    Args:
        law: The law.
        num_draws: How many draws, at least one.

    Raises:
        ValueError: there is no draw.

    Example:
        >>> import torch
        >>> from probgen.distributions import Autoregressive
        >>> from probgen.distributions.autoregressive.entropy import entropy_estimate
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> p = Autoregressive(MADE(9, 1, hidden=(16,)), (3, 3), BernoulliElement())
        >>> found = entropy_estimate(p, 512)
        >>> found.kind, bool((found.value - p.entropy()).abs() < 6 * found.stderr)
        ('unbiased', True)
    """
    if num_draws < 1:
        raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
    with torch.no_grad():
        return mean_estimate(_terms(law, law.sample((num_draws,))), "unbiased")


def _terms(law: FactorizedLaw, draws: Tensor) -> Tensor:
    """One unbiased estimate for each draw, ``[n, *batch]``."""
    conditionals = law._conditionals(draws)
    try:
        return conditionals.entropy().sum(-1)
    except NotImplementedError:
        return -law.log_prob(draws)
