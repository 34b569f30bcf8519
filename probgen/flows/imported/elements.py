r"""Elements with other libraries' constants: how a network's numbers become scales, bins and slopes.

What a trained network emits means what its library made of it. With :math:`\lambda = \log \mathrm{floor}` and
:math:`\varsigma_c(a) = a / (1 + |c\, a / \lambda|)`:

.. list-table::
   :header-rows: 1

   * - style
     - scale
     - sizes of bins
     - slopes
   * - ``"zuko"``
     - :math:`e^{\varsigma_1(a)}`
     - :math:`\operatorname{softmax} \varsigma_2(a)`
     - :math:`e^{\varsigma_1(a)}`
   * - ``"nflows"``
     - :math:`\log(1 + e^a) + \mathrm{floor}`
     - :math:`\mathrm{floor} + (1 - K\, \mathrm{floor}) \operatorname{softmax}(\gamma a)`
     - :math:`\log(1 + e^a) + \mathrm{floor}`
   * - ``"nflows coupling"``
     - :math:`\sigma(a + 2) + \mathrm{floor}`
     -
     -

:math:`\gamma` is a factor that nflows takes from the width of the network. Unlike our own elements, these are not the identity
at zero in every style and may become steep: an imported flow keeps the numerical weaknesses of the original.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn import functional

from probgen.distributions.bijectors import Elementwise, Parameter, real_parameter
from probgen.distributions.bijectors.splines.knots import Spline
from probgen.distributions.bijectors.splines.rational_quadratic import spline_forward, spline_inverse

__all__ = ["ImportedAffine", "ImportedSpline", "Style"]

Style = Literal["zuko", "nflows", "nflows coupling"]


class ImportedAffine(Elementwise):
    r""":math:`y = \mathrm{loc} + \mathrm{scale}\, x`, the scale made as another library makes it.

    Args:
        style: "zuko", "nflows" (autoregressive; the scale comes first) or "nflows coupling".
        floor: The constant of the style (zuko: the smallest slope).
        shape: Batch shape of learned parameters.

    Raises:
        ValueError: the style is not known.

    Example:
        >>> import torch
        >>> from probgen.flows.imported import ImportedAffine
        >>> ImportedAffine("nflows coupling").element_forward(torch.tensor(1.0), torch.zeros(2))[0]
        tensor(0.8818)
    """

    def __init__(self, style: Style = "zuko", *, floor: float = 1e-3, shape: Sequence[int] = ()) -> None:
        if style not in get_args(Style):
            raise ValueError(f"`style` must be one of {get_args(Style)}; got {style!r}.")
        self.style, self.floor = style, floor
        super().__init__(shape)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``loc`` (real) and ``scale`` (positive), in the order of the style."""
        scale = Parameter("scale", constraints.positive, partial(_scale, style=self.style, floor=self.floor))
        loc = real_parameter("loc")
        return (scale, loc) if self.style == "nflows" else (loc, scale)

    def extra_repr(self) -> str:
        """The style."""
        return repr(self.style)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        loc, scale = self._ordered(values)
        y = loc + scale * x
        return y, scale.log().expand(y.shape)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        loc, scale = self._ordered(values)
        x = (y - loc) / scale
        return x, -scale.log().expand(x.shape)

    def _ordered(self, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        return (values[1], values[0]) if self.style == "nflows" else (values[0], values[1])


class ImportedSpline(Spline):
    r"""A rational-quadratic spline on :math:`[-B, B]`, its bins and slopes made as another library makes them.

    Args:
        style: "zuko" or "nflows".
        bins: Number of bins :math:`K`.
        bound: Half-width :math:`B` of the interval; the identity outside.
        floors: The constants of the style: for widths, heights and slopes (zuko uses the last one).
        factor: What the numbers for widths and heights are multiplied by first, :math:`\gamma`.
        shape: Batch shape of learned parameters.

    Raises:
        ValueError: the style is not known, or a size is not positive.

    Example:
        >>> import torch
        >>> from probgen.flows.imported import ImportedSpline
        >>> f = ImportedSpline("zuko", bins=4)
        >>> f.num_free, f(torch.tensor([-7.0, 0.5])).tolist()
        (11, [-7.0, 0.5])
    """

    def __init__(
        self,
        style: Style = "zuko",
        bins: int = 8,
        bound: float = 5.0,
        *,
        floors: tuple[float, float, float] = (1e-3, 1e-3, 1e-3),
        factor: float = 1.0,
        shape: Sequence[int] = (),
    ) -> None:
        if style not in ("zuko", "nflows"):
            raise ValueError(f'`style` must be "zuko" or "nflows"; got {style!r}.')
        self.style, self.floors, self.factor = style, floors, factor
        super().__init__(bins, -bound, bound, tails=True, shape=shape)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``widths`` and ``heights`` (shares of the interval) and ``slopes`` (at the inner knots)."""
        floors = (self.floors[2],) * 2 if self.style == "zuko" else self.floors[:2]
        sizes = [partial(_sizes, style=self.style, floor=floor, factor=self.factor) for floor in floors]
        slopes = partial(_scale, style=self.style, floor=self.floors[2])
        return (
            Parameter("widths", constraints.positive, sizes[0], (self.bins,)),
            Parameter("heights", constraints.positive, sizes[1], (self.bins,)),
            Parameter("slopes", constraints.positive, slopes, (self.bins - 1,)),
        )

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y, log_slope = spline_forward(self._within(x), *self._table(values), self.interval)
        return self._joined(x, y, log_slope)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, log_slope = spline_inverse(self._within(y), *self._table(values), self.interval)
        return self._joined(y, x, log_slope)

    def _table(self, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Tensor]:
        widths, heights, slopes = values
        return widths, heights, functional.pad(slopes, (1, 1), value=1.0)


def _softsign(raw: Tensor, factor: float, floor: float) -> Tensor:
    return raw / (1 + (raw * (factor / math.log(floor))).abs())


def _scale(raw: Tensor, *, style: Style, floor: float) -> Tensor:
    if style == "zuko":
        return _softsign(raw, 1.0, floor).exp()
    return (functional.softplus(raw) if style == "nflows" else torch.sigmoid(raw + 2)) + floor


def _sizes(raw: Tensor, *, style: Style, floor: float, factor: float) -> Tensor:
    if style == "zuko":
        return _softsign(raw, 2.0, floor).softmax(-1)
    return floor + (1 - floor * raw.shape[-1]) * (raw * factor).softmax(-1)
