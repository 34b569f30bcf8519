r"""A column of integers: rounded real numbers, with open cells at the ends of a range.

With :math:`y = \mathrm{loc} + \mathrm{scale} \cdot u` and :math:`v = \operatorname{round}(y)`, clamped to a range, the
coordinate :math:`r \in \mathbb R` of a preimage is given by

.. math:: y = v - \tfrac12 + \sigma(r) \text{ inside}, \quad
          y = v + \tfrac12 - \log(1 + e^{-r}) \text{ for the smallest}, \quad
          y = v - \tfrac12 + \log(1 + e^{r}) \text{ for the largest value}.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.nn.functional import logsigmoid, softplus

from probgen.distributions.numerics.stable import softplus_inverse
from probgen.distributions.surjections.columns import Column, require_finite, require_positive
from probgen.distributions.surjections.rounding import integers

__all__ = ["IntegerColumn"]


@dataclass(frozen=True)
class IntegerColumn(Column):
    r"""Integers, :math:`v = \operatorname{round}(\mathrm{loc} + \mathrm{scale} \cdot u)`, clamped to a range.

    Args:
        loc: Where the values are, such as their mean.
        scale: How far they spread, such as their standard deviation; positive.
        low: The smallest value, or None.
        high: The largest value, or None.

    Raises:
        ValueError: ``loc`` is not finite, ``scale`` not positive, or there are not two values.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import IntegerColumn
        >>> grades = IntegerColumn(5.6, 0.8, low=3, high=8)
        >>> grades.project(torch.tensor([[0.0], [-9.0], [9.0]]))
        tensor([6., 3., 8.])
    """

    loc: float = 0.0
    scale: float = 1.0
    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        require_finite(self.loc)
        require_positive(self.scale)
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"`low` must be less than `high`; got {self.low} and {self.high}.")

    @property
    def support(self) -> Constraint:
        """The integers, or a part of them."""
        if self.low is None and self.high is None:
            return integers
        if self.low is None or self.high is None:
            return _HalfIntegers(self.low, self.high)
        return constraints.integer_interval(self.low, self.high)

    def project(self, u: Tensor) -> Tensor:
        """As in ``Column``."""
        rounded = (self.loc + self.scale * u[..., 0] + 0.5).floor()
        return rounded if self.low is None and self.high is None else rounded.clamp(self.low, self.high)

    def point(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Column``."""
        r = r[..., 0]
        lowest, highest = self._ends(v)
        margin = 4 * torch.finfo(r.dtype).eps * (1 + v.abs() + abs(self.loc))  # rounding stays inside the cell
        inside = torch.sigmoid(r)
        inside = inside + (torch.maximum(torch.minimum(inside, 1 - margin), margin) - inside).detach()
        above, below = softplus(r) + margin, softplus(-r) + margin
        y = v - 0.5 + torch.where(highest, above, torch.where(lowest, 1 - below, inside))
        slope = _log_slope(r, lowest, highest)
        return ((y - self.loc) / self.scale).unsqueeze(-1), slope - torch.full_like(slope, self.scale).log()

    def coordinates(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Column``."""
        v = self.project(u)
        lowest, highest = self._ends(v)
        tiny = torch.finfo(u.dtype).tiny
        excess = self.loc + self.scale * u[..., 0] - (v - 0.5)  # in (0, 1) inside
        middle = ~(lowest | highest)
        fraction = torch.where(middle, excess, 0.5).clamp(torch.finfo(u.dtype).eps, 1 - torch.finfo(u.dtype).eps)
        above = softplus_inverse(torch.where(highest, excess, 1.0).clamp_min(tiny))
        below = -softplus_inverse(torch.where(lowest, 1 - excess, 1.0).clamp_min(tiny))
        r = torch.where(highest, above, torch.where(lowest, below, torch.logit(fraction)))
        slope = _log_slope(r, lowest, highest)
        return r.unsqueeze(-1), torch.full_like(slope, self.scale).log() - slope

    def features(self, v: Tensor) -> Tensor:
        """As in ``Column``."""
        return ((v - self.loc) / self.scale).unsqueeze(-1)

    def _ends(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Whether each value is the smallest, and whether it is the largest."""
        lowest = torch.zeros_like(v, dtype=torch.bool) if self.low is None else v <= self.low
        highest = torch.zeros_like(v, dtype=torch.bool) if self.high is None else v >= self.high
        return lowest, highest


def _log_slope(r: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    """The logarithm of dy/dr."""
    up, down = logsigmoid(r), logsigmoid(-r)
    return torch.where(highest, up, torch.where(lowest, down, up + down))


class _HalfIntegers(Constraint):
    """Integers with one end."""

    is_discrete = True
    event_dim = 0

    def __init__(self, low: int | None, high: int | None) -> None:
        self.low, self.high = low, high
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        inside = integers.check(value)
        inside = inside if self.low is None else inside & (value >= self.low)
        return inside if self.high is None else inside & (value <= self.high)

    def __repr__(self) -> str:
        return f"Integers(low={self.low}, high={self.high})"
