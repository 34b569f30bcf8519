r"""The monotone rational-quadratic spline and its circular form.

In bin :math:`k`, with :math:`t = (x - x_k) / (x_{k+1} - x_k)`, :math:`u = 1 - t`, the chord's slope
:math:`s = (y_{k+1} - y_k) / (x_{k+1} - x_k)` and the slopes :math:`d_k, d_{k+1}` at the knots,

.. math::

    y = y_k + (y_{k+1} - y_k) \frac{s t^2 + d_k t u}{D}, \qquad
    \frac{dy}{dx} = \frac{s^2 (d_{k+1} t^2 + 2 s t u + d_k u^2)}{D^2}, \qquad D = s (t^2 + u^2) + (d_k + d_{k+1}) t u.

Written like this all terms are positive: nothing cancels. For the inverse, with :math:`v = (y - y_k) / (y_{k+1} - y_k)`, the
odds :math:`r = t / u` solve

.. math::

    s (1 - v) r^2 - \beta r - s v = 0, \quad \beta = v d_{k+1} - (1 - v) d_k, \qquad
    r = \frac{\beta + R}{2 s (1 - v)} = \frac{2 s v}{R - \beta}, \quad R = \sqrt{\beta^2 + 4 s^2 v (1 - v)}.

The discriminant is a sum of non-negative terms (in the usual form it is a difference that rounding can make negative), and the
form that adds numbers of one sign is taken, so :math:`t` and :math:`u` are both accurate.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.bijectors.splines.knots import Spline, edges, gathered, locate, pair_index, running_sum

__all__ = ["RationalQuadraticSpline", "spline_forward", "spline_inverse"]

Interval = tuple[float, float]


def spline_forward(x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, interval: Interval) -> tuple[Tensor, Tensor]:
    r"""Return the spline's value and :math:`\log dy/dx` at ``x``.

    Args:
        x: Points inside the interval, shape ``[*batch]``.
        widths: Relative widths of the bins, shape ``[*batch, K]``.
        heights: Relative heights, shape ``[*batch, K]``.
        slopes: Slopes at all knots, shape ``[*batch, K + 1]``.
        interval: Ends of the interval.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.rational_quadratic import spline_forward
        >>> y, log_slope = spline_forward(torch.tensor(0.0), torch.ones(4), torch.ones(4), torch.ones(5), (-1.0, 1.0))
        >>> y, log_slope
        (tensor(0.), tensor(0.))
    """
    y, state = _forward(x, widths, heights, slopes, interval)
    return y, _log_slope(*state)


def spline_inverse(y: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, interval: Interval) -> tuple[Tensor, Tensor]:
    r"""Return the inverse spline's value and :math:`\log dx/dy` at ``y``.

    Args:
        y: Points inside the interval, shape ``[*batch]``.
        widths: Relative widths of the bins, shape ``[*batch, K]``.
        heights: Relative heights, shape ``[*batch, K]``.
        slopes: Slopes at all knots, shape ``[*batch, K + 1]``.
        interval: Ends of the interval.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.rational_quadratic import spline_inverse
        >>> x, log_slope = spline_inverse(torch.tensor(0.5), torch.ones(4), torch.ones(4), torch.ones(5), (-1.0, 1.0))
        >>> x
        tensor(0.5000)
    """
    x, state = _inverse(y, widths, heights, slopes, interval)
    return x, -_log_slope(*state)


State = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]


def _forward(x: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, interval: Interval) -> tuple[Tensor, State]:
    """Return the value and what its log-slope is made of."""
    sums = running_sum(widths)
    pair = pair_index(locate(x, sums, *interval))
    x0, x1 = edges(sums, pair, *interval)
    y0, y1 = edges(running_sum(heights), pair, *interval)
    d0, d1 = gathered(slopes, pair).unbind(-1)
    width, height = x1 - x0, y1 - y0
    s = height / width
    t = (x - x0) / width
    u = 1 - t
    tu, tt, uu = t * u, t * t, u * u
    denominator = torch.addcmul(s * (tt + uu), d0 + d1, tu)
    y = y0 + height * torch.addcmul(d0 * tu, s, tt) / denominator
    return y, (s, d0, d1, tu, tt, uu, denominator)


def _inverse(y: Tensor, widths: Tensor, heights: Tensor, slopes: Tensor, interval: Interval) -> tuple[Tensor, State]:
    """Return the inverse's value and what the log-slope of the spline is made of there."""
    sums = running_sum(heights)
    pair = pair_index(locate(y, sums, *interval))
    x0, x1 = edges(running_sum(widths), pair, *interval)
    y0, y1 = edges(sums, pair, *interval)
    d0, d1 = gathered(slopes, pair).unbind(-1)
    width, height = x1 - x0, y1 - y0
    s = height / width
    v = (y - y0) / height
    sv = 2 * s * v
    su = 2 * s - sv
    beta = torch.addcmul(-d0, v, d0 + d1)
    root = torch.addcmul((sv * su).clamp_min(0), beta, beta).sqrt()
    rising = beta >= 0
    larger = root + torch.where(rising, beta, -beta)
    odds_t, odds_u = torch.where(rising, larger, sv), torch.where(rising, su, larger)
    total = odds_t + odds_u
    t, u = odds_t / total, odds_u / total
    tu, tt, uu = t * u, t * t, u * u
    denominator = torch.addcmul(s * (tt + uu), d0 + d1, tu)
    return x0 + width * t, (s, d0, d1, tu, tt, uu, denominator)


def _log_slope(s: Tensor, d0: Tensor, d1: Tensor, tu: Tensor, tt: Tensor, uu: Tensor, denominator: Tensor) -> Tensor:
    numerator = torch.addcmul(torch.addcmul(d0 * uu, d1, tt), s, tu, value=2)
    ratio = s / denominator
    return (ratio * ratio * numerator).log()


class RationalQuadraticSpline(Spline):
    r"""Monotone rational-quadratic spline on an interval; outside, the identity.

    Continuously differentiable; raw parameters of zero give the identity. With tails, the interval is
    :math:`[-\mathrm{bound}, \mathrm{bound}]`, the map is the identity beyond it and the slopes at its ends are one. Without
    tails (``interval`` given), it maps the closed interval onto itself and its end slopes are parameters too.

    Args:
        bins: Number of bins :math:`K`.
        bound: Half-width of the interval of a spline with tails.
        interval: Ends of the interval of a spline without tails; then ``bound`` is not used.
        widths: Relative widths, trailing shape ``[K]``, positive; None to learn them.
        heights: Relative heights, trailing shape ``[K]``, positive; None to learn them.
        slopes: Slopes at the inner knots ``[K - 1]`` (without tails at all knots, ``[K + 1]``), positive; None to learn them.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``bins`` is not positive, the interval is empty, or a given value has a wrong shape or sign.

    References:
        Gregory, Delbourgo (1982). Piecewise rational quadratic interpolation to monotonic data.
        https://doi.org/10.1093/imanum/2.2.123
        Durkan, Bekasov, Murray, Papamakarios (2019). Neural spline flows. https://arxiv.org/abs/1906.04032

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import RationalQuadraticSpline
        >>> f = RationalQuadraticSpline(
        ...     2, bound=1.0, widths=torch.ones(2), heights=torch.tensor([1.0, 3.0]), slopes=torch.ones(1)
        ... )
        >>> f(torch.tensor([-2.0, 0.0, 1.0]))
        tensor([-2.0000, -0.5000,  1.0000])
    """

    def __init__(
        self,
        bins: int = 8,
        bound: float = 5.0,
        *,
        interval: Interval | None = None,
        widths: Tensor | None = None,
        heights: Tensor | None = None,
        slopes: Tensor | None = None,
        shape: Sequence[int] = (),
    ) -> None:
        lower, upper = (-bound, bound) if interval is None else interval
        super().__init__(bins, lower, upper, tails=interval is None, shape=shape, widths=widths, heights=heights, slopes=slopes)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``widths`` and ``heights`` (relative sizes of the bins) and ``slopes`` (at the knots)."""
        knots = self.bins - 1 if self.tails else self.bins + 1
        sizes = (("widths", self.bins), ("heights", self.bins), ("slopes", knots))
        return tuple(self._positive(name, size) for name, size in sizes)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y, log_slope = spline_forward(self._within(x), *self._table(values))
        return self._joined(x, y, log_slope)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, log_slope = spline_inverse(self._within(y), *self._table(values))
        return self._joined(y, x, log_slope)

    def _element_forward_value(self, x: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        return self._joined_value(x, _forward(self._within(x), *self._table(values))[0])

    def _element_inverse_value(self, y: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        return self._joined_value(y, _inverse(self._within(y), *self._table(values))[0])

    def _table(self, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Interval]:
        widths, heights, slopes = values
        if self.tails:
            slopes = functional.pad(slopes, (1, 1), value=1.0)
        return widths, heights, slopes, self.interval
