r"""A convex combination of sigmoids on the logit scale, with its derivative, in log space.

For numbers :math:`s_k(x)` that increase in one variable :math:`x`, and weights :math:`w_k` that sum to one,

.. math::

    g = \operatorname{logit} \sum_k w_k\, \sigma(s_k), \qquad
    g' = \sum_k b_k\, \frac{\sigma(s_k)}{F}\, s_k' \;\;(g > 0), \qquad
    F = \sum_k w_k\, \sigma(s_k), \quad b_k \propto w_k\, \sigma(-s_k),

and the mirror image for :math:`g \le 0`: neither form subtracts large logarithms. Where no component is near, :math:`g'`
vanishes; a floor :math:`(1 - \delta) g + \delta h`, with some increasing h, keeps the inverse. A mean of probabilities lies
between the smallest and the largest, so :math:`\min_k s_k \le g \le \max_k s_k`: the combination cannot leave the envelope
of its parts.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["floored", "sigmoid_mixture"]


def sigmoid_mixture(s: Tensor, log_slope: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`g` and :math:`\log g'`, the last axis summed.

    Args:
        s: The arguments :math:`s_k`, ``[*batch, units]``.
        log_slope: Their :math:`\log s_k'`, broadcastable with ``s``.
        log_weights: :math:`\log w_k`, broadcastable with ``s``; ``[*batch, out, units]`` with an axis more in the others.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._sigmoid_mixture import sigmoid_mixture
        >>> s = torch.tensor([-200.0, 300.0])
        >>> sigmoid_mixture(s, torch.zeros(2), torch.tensor([0.5, 0.5]).log())  # half of the mass on each side
        (tensor(0.), tensor(-200.))
    """
    log_left, log_right = logsigmoid(s), logsigmoid(-s)
    left, right = log_weights + log_left, log_weights + log_right
    log_cdf, log_survival = left.logsumexp(-1), right.logsumexp(-1)
    above = log_cdf > log_survival
    log_tail = torch.where(above[..., None], right, left).log_softmax(-1)  # log b_k
    log_other = torch.where(above[..., None], log_left, log_right)
    log_derivative = (log_tail + log_other + log_slope).logsumexp(-1) - torch.where(above, log_cdf, log_survival)
    return log_cdf - log_survival, log_derivative


def floored(g: Tensor, log_slope: Tensor, h: Tensor, log_skip: Tensor | float, floor: float) -> tuple[Tensor, Tensor]:
    r""":math:`(1 - \delta)\, g + \delta\, h` and its log-slope.

    Args:
        g: Any shape.
        log_slope: :math:`\log g'`.
        h: Of the same shape.
        log_skip: :math:`\log h'`.
        floor: :math:`\delta`, in (0, 1).

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._sigmoid_mixture import floored
        >>> floored(torch.tensor(2.0), torch.tensor(0.0), torch.tensor(2.0), 0.0, 0.01)
        (tensor(2.), tensor(0.))
    """
    least = torch.full_like(log_slope, math.log(floor)) + log_skip
    return (1.0 - floor) * g + floor * h, torch.logaddexp(log_slope + math.log1p(-floor), least)
