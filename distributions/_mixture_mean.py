r"""The mean color of a discretized logistic law, and of laws that depend on earlier colors.

With edges :math:`e_1 < \dots < e_{L-1}` between L bins of width w the mean of a discretized law is a sum of tails,

.. math:: \mathbb E[X] = c_0 + w \sum_{l=1}^{L-1} P(X \ge c_l) = c_0 + w \sum_l \sigma\Bigl(\frac{\mu - e_l}{s}\Bigr)
    \;\approx\; c_0 + s \Bigl[\operatorname{softplus}\frac{\mu - c_0}{s} - \operatorname{softplus}\frac{\mu - c_{L-1}}{s}\Bigr],

where the integral is the midpoint rule's limit: exact to rounding for :math:`s \ge w`, off by half a width at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from probgen.distributions.discretized import DiscretizedLogistic

__all__ = ["expected_center", "expected_colors"]

_FEW_LEVELS = 16
_NODES = 8


def expected_center(law: DiscretizedLogistic, *, exact: bool = True) -> Tensor:
    """The mean of a discretized logistic law, ``[*batch]``, level by level: memory does not grow with the levels.

    Args:
        law: The law.
        exact: Sum over the levels; else the integral.

    Example:
        >>> import torch
        >>> from probgen.distributions import DiscretizedLogistic, Quantization
        >>> from probgen.distributions._mixture_mean import expected_center
        >>> law = DiscretizedLogistic(torch.tensor(0.3), 0.2, Quantization(64, -1.0, 1.0))
        >>> expected_center(law), expected_center(law, exact=False), law.mean
        (tensor(0.2944), tensor(0.2944), tensor(0.2944))
    """
    found, loc, scale = law.quantization, law.loc, law.scale
    if exact:
        tails = torch.zeros_like(loc)
        for level in range(1, found.levels):
            tails = tails + torch.sigmoid((loc - found.lowest_edge - level * found.width) / scale)
        return found.low + found.width * tails
    below, reach = (loc - found.high) / scale, (found.high - found.low) / scale
    wide = reach < 1  # then the difference of softplus cancels
    narrow_value = F.softplus((loc - found.low) / scale) - F.softplus(below)
    wide_value = torch.log1p(torch.sigmoid(below) * torch.expm1(torch.where(wide, reach, 1.0)))
    return found.low + scale * torch.where(wide, wide_value, narrow_value)


def expected_colors(
    law_of: Callable[[int, Sequence[Tensor]], DiscretizedLogistic], channels: int, *, dependent: bool
) -> Tensor:
    """Mean colors ``[*batch, C]`` of laws of which each may depend on the colors before it.

    Exact for independent colors and for few levels, which are enumerated; else earlier colors take equally probable values.

    Args:
        law_of: The law of a color, ``[*batch]``, given its number and earlier colors that broadcast with the batch.
        channels: Number of colors C.
        dependent: Whether colors depend on earlier ones.

    Example:
        >>> import torch
        >>> from probgen.distributions import DiscretizedLogistic, Quantization
        >>> from probgen.distributions._mixture_mean import expected_colors
        >>> levels = Quantization(8, -1.0, 1.0)
        >>> expected_colors(lambda c, x: DiscretizedLogistic(x[0] if c else torch.zeros(2), 1.0, levels), 2, dependent=True)
        tensor([[0., 0.],
                [0., 0.]])
    """
    if not dependent:
        return torch.stack([expected_center(law_of(channel, ())) for channel in range(channels)], -1)
    law = law_of(0, ())
    means, batch_dim = [expected_center(law)], law.loc.dim()
    earlier: list[Tensor] = []
    weight = torch.ones_like(law.loc)
    for channel in range(1, channels):
        few = law.quantization.levels <= _FEW_LEVELS
        node, mass = _nodes(law, enumerate_levels=few)
        earlier, weight = [*(color.unsqueeze(0) for color in earlier), node], weight * mass
        law = law_of(channel, earlier)
        paths = weight * expected_center(law, exact=few)
        means.append(paths.flatten(0, paths.dim() - batch_dim - 1).sum(0))
    return torch.stack(means, -1)


def _nodes(law: DiscretizedLogistic, *, enumerate_levels: bool) -> tuple[Tensor, Tensor]:
    """Values that represent a law and their weights, stacked in front of its batch."""
    front = (-1, *(1,) * law.loc.dim())
    if enumerate_levels:
        levels = torch.arange(law.quantization.levels, dtype=law.loc.dtype, device=law.loc.device).reshape(front)
        mass = law.level_log_mass(levels).exp()
        return law.quantization.decode(levels).expand_as(mass), mass
    u = (torch.arange(_NODES, dtype=law.loc.dtype, device=law.loc.device).reshape(front) + 0.5) / _NODES
    node = (law.loc + law.scale * torch.logit(u)).clamp(law.quantization.low, law.quantization.high)
    return node, torch.full_like(node, 1 / _NODES)
