r"""The monotone cubic spline.

In bin :math:`k`, with :math:`t = (x - x_k) / (x_{k+1} - x_k)`, :math:`u = 1 - t` and the chord's slope :math:`s_k`,

.. math::

    \frac{dy}{dx} = d_k u^2 + 2 m_k t u + d_{k+1} t^2, \qquad m_k = 3 s_k - d_k - d_{k+1},

is a quadratic with Bernstein coefficients :math:`d_k, m_k, d_{k+1}`, whose integral over the bin is the bin's height. It is
positive if the coefficients are, so the slopes at the knots are parametrized as :math:`d_k = r_k \min(s_{k-1}, s_k)` with
:math:`0 < r_k < 3/2`: no constraint between neighbors is left, and no derivative can vanish.

The inverse solves :math:`F(t) = v` in the unit interval, where :math:`F` is the bin's cubic scaled to :math:`[0, 1]`. Cardano's
formula loses half of the digits when the cubic term is small, so the root is found by Newton's method instead, started from
the closed-form inverse of the rational quadratic with the same end slopes and kept inside the interval. A fixed number of steps
reaches rounding for every admissible bin (tested on a grid of bins); the last two steps carry the derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.bijectors.splines.knots import (
    LOG_RANGE,
    Spline,
    edges,
    gathered,
    locate,
    pair_index,
    running_sum,
)
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["CubicSpline"]

DETACHED_STEPS = 3


class CubicSpline(Spline):
    r"""Monotone cubic spline on an interval; outside, straight lines that continue its ends.

    Continuously differentiable on the whole line: the tails have the slopes of the ends. Raw parameters of zero give the
    identity.

    Args:
        bins: Number of bins :math:`K`.
        bound: Half-width of the interval of a spline with tails.
        interval: Ends of the interval of a spline without tails; then ``bound`` is not used.
        widths: Relative widths, trailing shape ``[K]``, positive; None to learn them.
        heights: Relative heights, trailing shape ``[K]``, positive; None to learn them.
        slopes: Slopes at the knots relative to the smaller slope of the neighboring chords, trailing shape ``[K + 1]``,
            between 0 and 3/2; None to learn them.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``bins`` is not positive, the interval is empty, or a given value has a wrong shape or range.

    References:
        Fritsch, Carlson (1980). Monotone piecewise cubic interpolation. https://doi.org/10.1137/0717021
        Durkan, Bekasov, Murray, Papamakarios (2019). Cubic-spline flows. https://arxiv.org/abs/1906.02145

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CubicSpline
        >>> f = CubicSpline(2, bound=1.0, widths=torch.ones(2), heights=torch.tensor([1.0, 3.0]), slopes=torch.ones(3))
        >>> f(torch.tensor([-1.0, 0.0, 1.0, 2.0]))
        tensor([-1.0000, -0.5000,  1.0000,  2.5000])
    """

    def __init__(
        self,
        bins: int = 8,
        bound: float = 5.0,
        *,
        interval: tuple[float, float] | None = None,
        widths: Tensor | None = None,
        heights: Tensor | None = None,
        slopes: Tensor | None = None,
        shape: Sequence[int] = (),
    ) -> None:
        lower, upper = (-bound, bound) if interval is None else interval
        super().__init__(bins, lower, upper, tails=interval is None, shape=shape, widths=widths, heights=heights, slopes=slopes)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``widths`` and ``heights`` (relative sizes of the bins) and ``slopes`` (relative, at all knots)."""
        slopes = Parameter("slopes", constraints.interval(0.0, 1.5), _relative_slope, (self.bins + 1,))
        return (self._positive("widths", self.bins), self._positive("heights", self.bins), slopes)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        within = self._within(x)
        sums, images = running_sum(values[0]), running_sum(values[1])
        pair = pair_index(locate(within, sums, *self.interval))
        x0, x1 = edges(sums, pair, *self.interval)
        y0, y1 = edges(images, pair, *self.interval)
        slopes = _knot_slopes(*values)
        a, c = _scaled(slopes, pair, (y1 - y0) / (x1 - x0))
        t = (within - x0) / (x1 - x0)
        y = y0 + (y1 - y0) * _cubic(t, a, c)
        log_slope = ((y1 - y0) / (x1 - x0) * _slope(t, a, c)).log()
        if not self.tails:
            return self._joined(x, y, log_slope)
        first, last = slopes[..., 0], slopes[..., -1]
        lower, upper = self.interval
        y = torch.where(x > lower, torch.where(x < upper, y, upper + last * (x - upper)), lower + first * (x - lower))
        return y, _in_parts(x, self.interval, log_slope, first.log(), last.log())

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        within = self._within(y)
        sums, images = running_sum(values[0]), running_sum(values[1])
        pair = pair_index(locate(within, images, *self.interval))
        x0, x1 = edges(sums, pair, *self.interval)
        y0, y1 = edges(images, pair, *self.interval)
        slopes = _knot_slopes(*values)
        a, c = _scaled(slopes, pair, (y1 - y0) / (x1 - x0))
        t = _solve((within - y0) / (y1 - y0), a, c)
        x = x0 + (x1 - x0) * t
        log_slope = -((y1 - y0) / (x1 - x0) * _slope(t, a, c)).log()
        if not self.tails:
            return self._joined(y, x, log_slope)
        first, last = slopes[..., 0], slopes[..., -1]
        lower, upper = self.interval
        x = torch.where(y > lower, torch.where(y < upper, x, upper + (y - upper) / last), lower + (y - lower) / first)
        return x, _in_parts(y, self.interval, log_slope, -first.log(), -last.log())


def _relative_slope(raw: Tensor) -> Tensor:
    """Map zero to one, and all numbers into (0, 3/2)."""
    return 1.5 * torch.sigmoid(soft_clip(raw, LOG_RANGE) + math.log(2.0))


def _knot_slopes(widths: Tensor, heights: Tensor, relative: Tensor) -> Tensor:
    """Slopes at all knots ``[*batch, K + 1]``: the relative slope times the smaller slope of the neighboring chords."""
    share = heights / heights.sum(-1, keepdim=True) / (widths / widths.sum(-1, keepdim=True))
    left = torch.cat([share[..., :1], share], -1)
    right = torch.cat([share, share[..., -1:]], -1)
    return relative * torch.minimum(left, right)


def _scaled(slopes: Tensor, pair: Tensor, chord: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes at both ends of the bin in units of its chord's slope."""
    left, right = gathered(slopes, pair).unbind(-1)
    return left / chord, right / chord


def _cubic(t: Tensor, a: Tensor, c: Tensor) -> Tensor:
    """The bin's cubic on the unit square, in Bernstein form: coefficients 0, a/3, 1 - c/3, 1."""
    u = 1 - t
    return t * (a * u * u + (3 - c) * t * u + t * t)


def _slope(t: Tensor, a: Tensor, c: Tensor) -> Tensor:
    u = 1 - t
    return a * u * u + 2 * (3 - a - c) * t * u + c * t * t


def _solve(v: Tensor, a: Tensor, c: Tensor) -> Tensor:
    """The root in the unit interval of the bin's cubic minus ``v``."""
    with torch.no_grad():
        t = _quadratic_guess(v, a, c)
        for _ in range(DETACHED_STEPS):
            t = (t - (_cubic(t, a, c) - v) / _slope(t, a, c)).clamp(0, 1)
    for _ in range(2):
        t = t - (_cubic(t, a, c) - v) / _slope(t, a, c)
    return t


def _quadratic_guess(v: Tensor, a: Tensor, c: Tensor) -> Tensor:
    """Invert the rational quadratic with the same end slopes (see ``rational_quadratic.py``)."""
    beta = v * c - (1 - v) * a
    root = (beta * beta + (4 * v * (1 - v)).clamp_min(0)).sqrt()
    larger = root + beta.abs()
    numerator = torch.where(beta >= 0, larger, 2 * v)
    return (numerator / (larger + torch.where(beta >= 0, 2 * (1 - v), 2 * v))).clamp(0, 1)


def _in_parts(value: Tensor, interval: tuple[float, float], middle: Tensor, first: Tensor, last: Tensor) -> Tensor:
    return torch.where(value > interval[0], torch.where(value < interval[1], middle, last), first)
