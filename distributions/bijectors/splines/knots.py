r"""What monotone splines share: bounded knots, the search for a bin, and the abstract class.

A spline maps an interval :math:`[l, u]` onto itself, bin by bin. Its knots are the running sums of positive *relative* sizes,

.. math::

    x_k = l + (u - l) \frac{\sum_{j < k} w_j}{\sum_j w_j}, \qquad y_k = l + (u - l) \frac{\sum_{j < k} h_j}{\sum_j h_j},

so the last knot is exactly :math:`u` (a quotient of equal numbers) and no softmax is needed. Unconstrained numbers become sizes
and slopes by :math:`e^{2 \tanh(a / 5)}`: two bins differ by a factor of at most :math:`e^4 \approx 55` and slopes stay in
:math:`[0.14, 7.4]`, whatever a network emits. The rounding error of the inverse grows as the smallest slope shrinks, so it is
this bound that keeps a deep spline flow invertible in float32. The slope of a chord may still be anywhere between 1/340 and 340
(8 bins), so little is lost.

Bins are found by counting the knots to the left: no sorting, no masked indexing, no branch on data.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.nn import functional

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.numerics.clamping import clamp_value

__all__ = ["LOG_RANGE", "Spline", "bounded_positive", "edges", "locate", "pair_index", "running_sum"]

LOG_RANGE = 2.0
"""Bound on the logarithms of relative sizes and of slopes."""

SOFTNESS = 5.0
"""Unconstrained numbers of this size come within a quarter of the bound."""


def bounded_positive(raw: Tensor) -> Tensor:
    r"""Return :math:`e^{2 \tanh(a / 5)}` elementwise: one at zero, within :math:`[e^{-2}, e^{2}]` everywhere.

    Args:
        raw: Unconstrained numbers, any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.knots import bounded_positive
        >>> bounded_positive(torch.tensor([0.0, 1e9]))
        tensor([1.0000, 7.3891])
    """
    return raw.mul(1 / SOFTNESS).tanh_().mul(LOG_RANGE).exp_()


def running_sum(sizes: Tensor) -> Tensor:
    """Return the running sums of ``sizes`` ``[*batch, K]``, with a leading zero: shape ``[*batch, K + 1]``.

    Args:
        sizes: Relative sizes, shape ``[*batch, K]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.knots import running_sum
        >>> running_sum(torch.tensor([1.0, 2.0]))
        tensor([0., 1., 3.])
    """
    return functional.pad(sizes, (1, 0)).cumsum(-1)


def locate(value: Tensor, sums: Tensor, lower: float, upper: float) -> Tensor:
    """Return the index of the bin that holds each value (bins are closed on the left), shape ``[*broadcast, 1]``.

    Args:
        value: Positions inside ``[lower, upper]``, shape ``[*batch]``.
        sums: Running sums, shape ``[*batch, K + 1]``.
        lower: Position of the first knot.
        upper: Position of the last knot.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.knots import locate, running_sum
        >>> locate(torch.tensor([0.0, 0.5, 1.0]), running_sum(torch.ones(2)), 0.0, 1.0).squeeze(-1)
        tensor([0, 1, 1])
    """
    sums = sums.detach()
    knots = sums[..., 1:-1] / sums[..., -1:] * (upper - lower) + lower
    return (knots <= value.detach().unsqueeze(-1)).sum(-1, keepdim=True)


def pair_index(index: Tensor) -> Tensor:
    """Return the indices ``[*batch, 2]`` of the left and the right knot of bin ``index`` ``[*batch, 1]``.

    Args:
        index: Index of the bin, shape ``[*batch, 1]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.knots import pair_index
        >>> pair_index(torch.tensor([3]))
        tensor([3, 4])
    """
    return torch.cat([index, index + 1], -1)


def edges(sums: Tensor, pair: Tensor, lower: float, upper: float) -> tuple[Tensor, Tensor]:
    """Return the positions of a bin's left and right knot, each of shape ``[*batch]``.

    Args:
        sums: Running sums, shape ``[*batch, K + 1]``.
        pair: Indices of the two knots, shape ``[*batch, 2]``.
        lower: Position of the first knot.
        upper: Position of the last knot.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.splines.knots import edges, running_sum
        >>> edges(running_sum(torch.ones(4)), torch.tensor([1, 2]), 0.0, 1.0)
        (tensor(0.2500), tensor(0.5000))
    """
    left, right = (gathered(sums, pair) / sums[..., -1:] * (upper - lower) + lower).unbind(-1)
    return left, right


def gathered(table: Tensor, index: Tensor) -> Tensor:
    """Pick from the last axis of ``table`` ``[*batch, n]`` at ``index`` ``[*broadcast, m]``."""
    return table.expand(*index.shape[:-1], table.shape[-1]).gather(-1, index)


class Spline(Elementwise):
    r"""A monotone spline on an interval, the identity (or a line) outside or a map of the interval only (abstract).

    A subclass sets ``declared_parameters`` and the two hooks. Sizes are *relative*: bin :math:`k` takes the share
    :math:`w_k / \sum_j w_j` of the interval.

    Args:
        bins: Number of bins :math:`K`, at least one.
        lower: Left end of the interval.
        upper: Right end.
        tails: True: a map of the real line, linear outside the interval; False: a map of the closed interval.
        shape: Batch shape of the free parameters.
        **given: Values for some of the declared parameters.

    Raises:
        ValueError: ``bins`` is not positive, or the interval is empty.

    Example:
        >>> from probgen.distributions.bijectors import RationalQuadraticSpline
        >>> spline = RationalQuadraticSpline(bins=4, interval=(0.0, 1.0))
        >>> spline.domain
        Interval(lower_bound=0.0, upper_bound=1.0)
    """

    def __init__(
        self, bins: int, lower: float, upper: float, *, tails: bool, shape: Sequence[int], **given: Tensor | float | None
    ) -> None:
        if bins < 1:
            raise ValueError(f"`bins` must be at least 1; got {bins}.")
        if not lower < upper:
            raise ValueError(f"the interval of a spline must satisfy lower < upper; got ({lower}, {upper}).")
        self.bins, self.tails = bins, tails
        self.interval = (float(lower), float(upper))
        super().__init__(shape, **given)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The real line, or the closed interval of a spline without tails."""
        return constraints.real if self.tails else constraints.interval(*self.interval)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """As the domain."""
        return self.domain

    def values_from_raw(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Turn a conditioner's output ``[*batch, num_free]`` into parameter values; one pass where none is given."""
        constrain = {parameter.constrain for parameter in self.declared_parameters}
        if self._given or constrain != {bounded_positive}:
            return super().values_from_raw(raw)
        return tuple(bounded_positive(raw).split([parameter.numel for parameter in self.declared_parameters], dim=-1))

    def extra_repr(self) -> str:
        """Bins and interval."""
        return f"bins={self.bins}, interval={self.interval}, tails={self.tails}"

    def _positive(self, name: str, size: int) -> Parameter:
        return Parameter(name, constraints.positive, bounded_positive, (size,))

    def _within(self, value: Tensor) -> Tensor:
        """Clamp to the interval, so that the spline's arithmetic is finite also where its result is not used."""
        return value.clamp(*self.interval)

    def _joined(self, value: Tensor, mapped: Tensor, log_slope: Tensor) -> tuple[Tensor, Tensor]:
        """Value and log-slope: the spline's inside the interval, the identity's outside."""
        if not self.tails:
            return clamp_value(mapped, *self.interval), log_slope
        inside = self._inside(value)
        return torch.where(inside, mapped, value), torch.where(inside, log_slope, torch.zeros_like(log_slope))

    def _joined_value(self, value: Tensor, mapped: Tensor) -> Tensor:
        return torch.where(self._inside(value), mapped, value) if self.tails else clamp_value(mapped, *self.interval)

    def _inside(self, value: Tensor) -> Tensor:
        lower, upper = self.interval
        return (value > lower) & (value < upper)
