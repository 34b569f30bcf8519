r"""Base distributions without parameters: the standard normal and the uniform distribution.

They hold no tensors. Unless told otherwise they draw in the dtype and on the device of whoever uses them, so a flow follows
``model.double()`` or ``model.to("cuda")`` although its base was built before.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_event_shape
from probgen.distributions._parameter_free import ParameterFree
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Standard", "StandardNormal", "StandardUniform", "standard_normal", "standard_uniform"]


class Standard(ParameterFree):
    """Independent coordinates with one fixed law and no parameters (abstract).

    A subclass writes ``_draw``, ``_coordinate_log_prob`` and the moments of one coordinate.

    Args:
        event_shape: Shape of one draw.
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> standard_normal(2).like(torch.zeros(1, dtype=torch.float64)).sample().dtype
        torch.float64
    """

    _coordinate_support: Constraint = constraints.real

    def _coordinate_log_prob(self, value: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_coordinate_log_prob`.")

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """The support of one coordinate, over the event."""
        rank = len(self.event_shape)
        return constraints.independent(self._coordinate_support, rank) if rank else self._coordinate_support

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``."""
        return self._draw(torch.Size((*sample_shape, *self.batch_shape, *self.event_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``; minus infinity outside the support when not validating."""
        self._check_shape(value)
        require_event_shape("value", value, len(self.event_shape))
        if self._checks_values(value):
            self._check_support(value)
        log_prob = sum_rightmost(self._coordinate_log_prob(value), len(self.event_shape))
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape)) if self.batch_shape else log_prob

    def reinterpreted(self, dims: int) -> Self:
        """The same law with the last ``dims`` batch dimensions moved into the event."""
        cut = len(self.batch_shape) - dims
        new = self._expanded(self.batch_shape[:cut])
        new._event_shape = self.batch_shape[cut:] + self.event_shape
        return new

    def coordinates(self) -> Self:
        """The law of every coordinate, the event moved into the batch."""
        new = self._expanded(self.batch_shape + self.event_shape)
        new._event_shape = torch.Size()
        return new

    def probability_integral_transform(self, value: Tensor) -> Tensor:
        """The distribution function of every coordinate, shape ``[*sample, *batch, dim]``."""
        uniform = self._coordinate_cdf(value)
        return uniform.reshape(*value.shape[: value.dim() - len(self.event_shape)], -1)

    def _coordinate_cdf(self, value: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_coordinate_cdf`.")

    def _require_scalar(self, method: str) -> None:
        if self.event_shape:
            raise NotImplementedError(
                f"`{method}` needs scalar events; {type(self).__name__} has event shape {tuple(self.event_shape)}."
            )

    def cdf(self, value: Tensor) -> Tensor:
        """Distribution function, for scalar events."""
        self._require_scalar("cdf")
        return self._coordinate_cdf(value)


class StandardNormal(Standard):
    r"""Independent :math:`\mathcal N(0, 1)` coordinates: :math:`\log p(x) = -\tfrac12 \sum_i (x_i^2 + \log 2\pi)`.

    Args:
        event_shape: Shape of one draw.
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import torch
        >>> from probgen.distributions import StandardNormal
        >>> StandardNormal((2,)).log_prob(torch.zeros(2))
        tensor(-1.8379)
    """

    def _draw(self, shape: torch.Size) -> Tensor:
        return torch.randn(shape, dtype=self.dtype, device=self.device)

    def _coordinate_log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * value.square() - 0.5 * math.log(2 * math.pi)

    def _coordinate_cdf(self, value: Tensor) -> Tensor:
        return cast(Tensor, torch.special.ndtr(value))

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function, for scalar events."""
        self._require_scalar("icdf")
        return cast(Tensor, torch.special.ndtri(value))

    @property
    def mean(self) -> Tensor:
        """Zero."""
        return self._filled(0.0)

    @property
    def mode(self) -> Tensor:
        """Zero."""
        return self._filled(0.0)

    @property
    def variance(self) -> Tensor:
        """One."""
        return self._filled(1.0)

    def entropy(self) -> Tensor:
        r"""Differential entropy, :math:`\tfrac D2 \log 2\pi e` nats."""
        return self._filled(0.5 * self.event_shape.numel() * math.log(2 * math.pi * math.e), event=False)


class StandardUniform(Standard):
    r"""Independent coordinates, uniform on :math:`[a, b)`: :math:`\log p(x) = -D \log(b - a)`.

    On :math:`[-\pi, \pi)` it is the uniform distribution on the circle or torus.

    Args:
        event_shape: Shape of one draw.
        batch_shape: Shape of the batch.
        low: Lower end :math:`a`.
        high: Upper end :math:`b`.
        support: What the support of a coordinate is called; the interval if None.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``low`` is not below ``high``.

    Example:
        >>> import torch
        >>> from probgen.distributions import StandardUniform
        >>> StandardUniform((2,), low=0.0, high=2.0).log_prob(torch.ones(2))
        tensor(-1.3863)
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (),
        batch_shape: Sequence[int] = (),
        *,
        low: float = 0.0,
        high: float = 1.0,
        support: Constraint | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not low < high:
            raise ValueError(f"`low` must be below `high`; got {low} and {high}.")
        self.low = low
        self.high = high
        self._coordinate_support = constraints.interval(low, high) if support is None else support
        super().__init__(event_shape, batch_shape, dtype=dtype, device=device, validate_args=validate_args)

    def _draw(self, shape: torch.Size) -> Tensor:
        unit = torch.rand(shape, dtype=self.dtype, device=self.device)
        return (self.low + (self.high - self.low) * unit).clamp(max=self._largest(unit.dtype))

    def _largest(self, dtype: torch.dtype) -> float:
        """The largest number below ``high`` that the dtype holds, since rounding may reach the open end."""
        step = torch.finfo(dtype).eps * max(abs(self.low), abs(self.high))
        return self.high - step

    def _coordinate_log_prob(self, value: Tensor) -> Tensor:
        level = torch.full_like(value, -math.log(self.high - self.low))
        inside = self._coordinate_support.check(value)
        outside = torch.where(value.isnan(), value, torch.full_like(value, -math.inf))
        return torch.where(inside, level, outside)

    def _coordinate_cdf(self, value: Tensor) -> Tensor:
        return ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function, for scalar events."""
        self._require_scalar("icdf")
        return self.low + (self.high - self.low) * value

    @property
    def mean(self) -> Tensor:
        """The midpoint."""
        return self._filled(0.5 * (self.low + self.high))

    @property
    def variance(self) -> Tensor:
        r""":math:`(b - a)^2 / 12`."""
        return self._filled((self.high - self.low) ** 2 / 12)

    def entropy(self) -> Tensor:
        r"""Differential entropy, :math:`D \log(b - a)` nats."""
        return self._filled(self.event_shape.numel() * math.log(self.high - self.low), event=False)


def standard_normal(event_shape: int | Sequence[int] = ()) -> StandardNormal:
    """The standard normal distribution over events of the given shape, in the dtype and on the device of its user.

    Args:
        event_shape: Shape of one draw; an integer n means (n,).

    Example:
        >>> from probgen.distributions import standard_normal
        >>> standard_normal(2).event_shape
        torch.Size([2])
    """
    return StandardNormal((event_shape,) if isinstance(event_shape, int) else event_shape)


def standard_uniform(event_shape: int | Sequence[int] = (), *, low: float = 0.0, high: float = 1.0) -> StandardUniform:
    """The uniform distribution on a box, in the dtype and on the device of its user.

    Args:
        event_shape: Shape of one draw; an integer n means (n,).
        low: Lower end of every coordinate.
        high: Upper end of every coordinate.

    Example:
        >>> from probgen.distributions import standard_uniform
        >>> standard_uniform(2, high=4.0).mean
        tensor([2., 2.])
    """
    return StandardUniform((event_shape,) if isinstance(event_shape, int) else event_shape, low=low, high=high)
