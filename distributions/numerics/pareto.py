r"""The tail of importance weights: can averages with these weights be trusted, and smoother weights where they can.

Above a high threshold weights follow a generalized Pareto law, whose shape :math:`k` tells how many moments they have: those
of order below :math:`1/k`. With :math:`k < 1/2` the variance is finite; up to :math:`k = 0.7` averages are useful in practice;
from :math:`k = 1` on there is no mean. :func:`generalized_pareto_fit` is the estimate of Zhang and Stephens: with
:math:`b = -k/\sigma`, the likelihood profiled over :math:`k(b) = \tfrac1n \sum_i \log(1 - b x_i)` is averaged over values of b,

.. math:: \ell(b) = n \bigl(\log(-b / k(b)) - k(b) - 1\bigr), \qquad
    \hat b = \sum_j b_j \frac{e^{\ell(b_j)}}{\sum_i e^{\ell(b_i)}} .

:func:`pareto_smoothed` fits the largest of S weights, as many as the smaller of :math:`S/5` and :math:`3 \sqrt S`, and replaces
them by the expected order statistics of the fitted law, none above the largest weight.

References:
    Zhang, Stephens (2009). A new and efficient estimation method for the generalized Pareto distribution.
    https://doi.org/10.1198/tech.2009.08017
    Vehtari, Simpson, Gelman, Yao, Gabry (2024). Pareto smoothed importance sampling. https://arxiv.org/abs/1507.02646
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["ParetoFit", "SmoothedWeights", "generalized_pareto_fit", "pareto_smoothed"]

_LEAST_TAIL = 5
_PRIOR_OBSERVATIONS = 10.0  # of the shape 1/2, as in the paper


class ParetoFit(NamedTuple):
    r"""A generalized Pareto law, :math:`P(X > x) = (1 + k x / \sigma)^{-1/k}`.

    Attributes:
        shape: k, shape ``[*batch]``.
        scale: :math:`\sigma`, in the units of the data, shape ``[*batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.pareto import ParetoFit
        >>> ParetoFit(torch.tensor(1.0), torch.tensor(2.0)).quantile(torch.tensor([0.5]))  # 2 (1 / 0.5 - 1)
        tensor([2.])
    """

    shape: Tensor
    scale: Tensor

    def quantile(self, probability: Tensor) -> Tensor:
        """The values that are exceeded with chance ``1 - probability``; broadcasts with the batch."""
        tail = -torch.log1p(-probability)
        small = self.shape.abs() < 1e-6
        k = torch.where(small, 1.0, self.shape)
        return self.scale * torch.where(small, tail, torch.expm1(k * tail) / k)


class SmoothedWeights(NamedTuple):
    """Importance weights with a smoothed tail.

    Attributes:
        log_weights: Normalized: their exponentials sum to one over the first dimension; ``[S, *batch]``.
        shape: k of the tail, ``[*batch]``; infinity where there are too few weights to fit it.

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.pareto import pareto_smoothed
        >>> smoothed = pareto_smoothed(torch.zeros(100))  # equal weights have no tail
        >>> smoothed.log_weights.exp().sum(), smoothed.shape
        (tensor(1.), tensor(0.))
    """

    log_weights: Tensor
    shape: Tensor


def generalized_pareto_fit(excess: Tensor) -> ParetoFit:
    r"""Estimate the generalized Pareto law of positive data.

    Args:
        excess: Data above the threshold, less it: positive, shape ``[n, *batch]``.

    Returns:
        The shape, drawn towards 1/2 as if by ten observations, and the scale.

    Raises:
        ValueError: there are fewer than five data.

    References:
        Zhang, Stephens (2009). A new and efficient estimation method for the generalized Pareto distribution.
        https://doi.org/10.1198/tech.2009.08017

    Example:
        >>> import torch
        >>> from probgen.distributions.numerics.pareto import ParetoFit, generalized_pareto_fit
        >>> law = ParetoFit(torch.tensor(0.7), torch.tensor(2.0))
        >>> fit = generalized_pareto_fit(law.quantile((torch.arange(4000) + 0.5) / 4000))
        >>> bool((fit.shape - 0.7).abs() < 0.02), bool((fit.scale - 2.0).abs() < 0.05)
        (True, True)
    """
    number = len(excess)
    if number < _LEAST_TAIL:
        raise ValueError(f"`excess` must hold at least {_LEAST_TAIL} data; got {number}.")
    x = excess.double().sort(0).values
    quartile, largest = x[max(int(number / 4 + 0.5), 1) - 1], x[-1]
    points = 30 + math.isqrt(number)
    j = torch.arange(1, points + 1, dtype=x.dtype, device=x.device).reshape(-1, *[1] * (x.dim() - 1))
    b = 1 / largest + (1 - (points / (j - 0.5)).sqrt()) / (3 * quartile)
    k = torch.stack([torch.log1p(-one * x).mean(0) for one in b])
    weight = (number * ((-b / k).log() - k - 1)).softmax(0)
    best = (weight * b).sum(0)
    shape = torch.log1p(-best * x).mean(0)
    scale = -shape / best
    shape = (number * shape + _PRIOR_OBSERVATIONS * 0.5) / (number + _PRIOR_OBSERVATIONS)
    return ParetoFit(shape.to(excess.dtype), scale.to(excess.dtype))


def pareto_smoothed(log_weights: Tensor) -> SmoothedWeights:
    r"""Smooth the tail of importance weights, and say whether they can be trusted.

    Args:
        log_weights: :math:`\log p(z_s, y) - \log q(z_s)` of draws of q, up to a constant: ``[S, *batch]``.

    Returns:
        Normalized log-weights, and the shape k: below 0.7 averages with the weights are useful. It is infinite, and the weights
        as they came, where fewer than five weights make the tail (S < 25).

    Raises:
        ValueError: there are no weights, or one is NaN or plus infinity.

    References:
        Vehtari, Simpson, Gelman, Yao, Gabry (2024). Pareto smoothed importance sampling. https://arxiv.org/abs/1507.02646

        Yao, Vehtari, Simpson, Gelman (2018). Yes, but did it work?: evaluating variational inference.
        https://arxiv.org/abs/1802.02538

    Example:
        Normal draws three times too narrow: their weights have no variance.

        >>> import torch
        >>> from probgen.distributions.numerics.pareto import pareto_smoothed
        >>> _ = torch.manual_seed(0)
        >>> p, q = torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(0.0, 1 / 3)
        >>> z = q.sample((4000,))
        >>> bool(pareto_smoothed(p.log_prob(z) - q.log_prob(z)).shape > 0.6)
        True
    """
    if log_weights.dim() < 1 or len(log_weights) < 1:
        raise ValueError(f"`log_weights` must be [S, *batch] with at least one weight; got shape {tuple(log_weights.shape)}.")
    if bool((log_weights.isnan() | (log_weights == torch.inf)).any()):
        raise ValueError("`log_weights` must be finite, or minus infinity for weights of zero; some are NaN or infinite.")
    number = len(log_weights)
    tail = min(number // 5, math.ceil(3 * math.sqrt(number)))
    shape = log_weights.new_full(log_weights.shape[1:], torch.inf)
    if tail < _LEAST_TAIL:
        return SmoothedWeights(log_weights.log_softmax(0), shape)
    ordered, order = (log_weights - log_weights.amax(0)).double().sort(0)
    smoothed, shape = _smoothed_tail(ordered, tail)
    restored = torch.empty_like(smoothed).scatter_(0, order, smoothed)
    return SmoothedWeights(restored.log_softmax(0).to(log_weights.dtype), shape.to(log_weights.dtype))


def _smoothed_tail(ordered: Tensor, tail: int) -> tuple[Tensor, Tensor]:
    """The last ``tail`` of increasing log-weights, the largest zero, replaced by those of the fitted law; and its shape."""
    threshold = ordered[-tail - 1].exp()
    excess = ordered[-tail:].exp() - threshold
    flat = excess[-1] <= 1e-12  # the weights are equal: there is no tail to fit
    positive = torch.where(flat, torch.linspace(0.5, 1.5, tail).to(excess).reshape(-1, *[1] * flat.dim()), excess)
    fit = generalized_pareto_fit(positive.clamp_min(1e-30))
    middle = (torch.arange(tail, dtype=ordered.dtype, device=ordered.device) + 0.5) / tail
    expected = (threshold + fit.quantile(middle.reshape(-1, *[1] * flat.dim()))).log().clamp_max(0.0)
    replaced = torch.where(flat, ordered[-tail:], expected)
    return torch.cat([ordered[:-tail], replaced]), torch.where(flat, 0.0, fit.shape)
