r"""Affine maps of one coordinate: :math:`y = \mathrm{loc} + \mathrm{scale}\, x`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from probgen.distributions.bijectors.elementwise import Elementwise, numbers_of
from probgen.distributions.bijectors.parameters import Parameter, positive_parameter, real_parameter
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Affine", "Scale", "Shift"]

_FACTOR = 1e3
_LOG_FACTOR = math.log(_FACTOR)
_LOC, _SCALE = real_parameter("loc"), positive_parameter("scale", factor=_FACTOR)


class Affine(Elementwise):
    r""":math:`y = \mathrm{loc} + \mathrm{scale}\, x` with :math:`\mathrm{scale} > 0`; FLDJ :math:`= \log \mathrm{scale}`.

    Domain and codomain: the real line. Exact both ways.

    Args:
        loc: Translation, any shape; None to learn it.
        scale: Positive factor, any shape; None to learn it (then within a factor 1000 of one).
        shape: Batch shape of the learned parameters.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine
        >>> f = Affine(loc=1.0, scale=2.0)
        >>> f(torch.tensor([0.0, 1.0])), f.forward_log_det_jacobian(torch.zeros(2))
        (tensor([1., 3.]), tensor([0.6931, 0.6931]))
    """

    constant_log_det = True

    def __init__(
        self, loc: Tensor | float | None = None, scale: Tensor | float | None = None, *, shape: Sequence[int] = ()
    ) -> None:
        super().__init__(shape, loc=loc, scale=scale)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``loc`` (real) and ``scale`` (positive)."""
        return (_LOC, _SCALE)

    def element_forward(self, x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base; a free scale is used by its logarithm, which is the log-derivative."""
        if self._given:
            return super().element_forward(x, raw)
        loc, raw_scale = numbers_of(raw.to(x.dtype))
        log_scale = soft_clip(raw_scale, _LOG_FACTOR)
        return loc + log_scale.exp() * x, log_scale

    def element_inverse(self, y: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        """As in the base; a free scale is used by its logarithm, which is minus the log-derivative."""
        if self._given:
            return super().element_inverse(y, raw)
        loc, raw_scale = numbers_of(raw.to(y.dtype))
        log_inverse = raw_scale.mul(-1.0 / _LOG_FACTOR).tanh_().mul(_LOG_FACTOR)
        return (y - loc) * log_inverse.exp(), log_inverse

    def element_forward_value(self, x: Tensor, raw: Tensor) -> Tensor:
        """As ``element_forward``, without the log-derivative."""
        if self._given:
            return super().element_forward_value(x, raw)
        loc, raw_scale = numbers_of(raw.to(x.dtype))
        return torch.addcmul(loc, soft_clip(raw_scale, _LOG_FACTOR).exp_(), x)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        loc, scale = values
        y = loc + scale * x
        return y, scale.log().expand(y.shape)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        loc, scale = values
        x = (y - loc) / scale
        return x, -scale.log().expand(x.shape)

    def _element_forward_value(self, x: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        return values[0] + values[1] * x

    def _element_inverse_value(self, y: Tensor, values: tuple[Tensor, ...]) -> Tensor:
        return (y - values[0]) / values[1]


class Shift(Elementwise):
    r""":math:`y = x + \mathrm{loc}`; volume preserving.

    Args:
        loc: Translation, any shape; None to learn it.
        shape: Batch shape of the learned parameter.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Shift
        >>> Shift(2.0)(torch.tensor(1.0))
        tensor(3.)
    """

    constant_log_det = True

    def __init__(self, loc: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, loc=loc)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``loc`` (real)."""
        return (_LOC,)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y = x + values[0]
        return y, torch.zeros_like(y)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x = y - values[0]
        return x, torch.zeros_like(x)


class Scale(Elementwise):
    r""":math:`y = \mathrm{scale}\, x` with :math:`\mathrm{scale} > 0`; FLDJ :math:`= \log \mathrm{scale}`.

    Args:
        scale: Positive factor, any shape; None to learn it (then within a factor 1000 of one).
        shape: Batch shape of the learned parameter.

    Raises:
        ValueError: ``scale`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Scale
        >>> Scale(3.0)(torch.tensor(2.0))
        tensor(6.)
    """

    constant_log_det = True

    def __init__(self, scale: Tensor | float | None = None, *, shape: Sequence[int] = ()) -> None:
        super().__init__(shape, scale=scale)

    @property
    def declared_parameters(self) -> tuple[Parameter, ...]:
        """``scale`` (positive)."""
        return (_SCALE,)

    def _element_forward(self, x: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        y = values[0] * x
        return y, values[0].log().expand(y.shape)

    def _element_inverse(self, y: Tensor, values: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x = y / values[0]
        return x, -values[0].log().expand(x.shape)
