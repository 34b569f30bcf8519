r"""The circular spline: a rational-quadratic spline of the circle :math:`[-\pi, \pi)` whose slope is the same at both ends.

It fixes the point :math:`\pm\pi`: the ends are one point of the circle, so value and slope must agree there for the density to
be continuous on the circle.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.parameters import Parameter
from probgen.distributions.bijectors.splines.knots import Spline
from probgen.distributions.bijectors.splines.rational_quadratic import Interval, spline_forward, spline_inverse
from probgen.distributions.constraints import circular
from probgen.distributions.numerics.clamping import clamp_value

__all__ = ["CircularSpline"]


class CircularSpline(Spline):
    r"""Monotone rational-quadratic spline of the circle :math:`[-\pi, \pi)`, with periodic slope.

    In each bin as :class:`~probgen.distributions.bijectors.RationalQuadraticSpline`; raw parameters of zero give the identity.

    Args:
        bins: Number of bins :math:`K`.
        widths: Relative widths, trailing shape ``[K]``, positive; None to learn them.
        heights: Relative heights, trailing shape ``[K]``, positive; None to learn them.
        slopes: Slopes at the :math:`K` knots of the circle, the first at :math:`\pm\pi`, positive; None to learn them.
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``bins`` is not positive, or a given value has a wrong shape or sign.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CircularSpline
        >>> f = CircularSpline(bins=2, widths=torch.ones(2), heights=torch.tensor([1.0, 3.0]), slopes=torch.ones(2))
        >>> f(torch.tensor([-torch.pi, 0.0])) / torch.pi
        tensor([-1.0000, -0.5000])
    """

    def __init__(
        self,
        bins: int = 8,
        *,
        widths: Tensor | None = None,
        heights: Tensor | None = None,
        slopes: Tensor | None = None,
        shape: Sequence[int] = (),
    ) -> None:
        super().__init__(bins, -math.pi, math.pi, tails=False, shape=shape, widths=widths, heights=heights, slopes=slopes)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        r"""Angles, :math:`[-\pi, \pi]` with its ends identified."""
        return circular

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``widths``, ``heights`` and ``slopes``, one of each for every bin."""
        return tuple(self._positive(name, self.bins) for name in ("widths", "heights", "slopes"))

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y, log_slope = spline_forward(self._within(x), *self._table(values))
        return clamp_value(y, *self.interval), log_slope

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, log_slope = spline_inverse(self._within(y), *self._table(values))
        return clamp_value(x, *self.interval), log_slope

    def _table(self, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor, Interval]:
        widths, heights, slopes = values
        return widths, heights, torch.cat([slopes, slopes[..., :1]], -1), self.interval
