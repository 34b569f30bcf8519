"""What laws without parameters share: they hold no tensors and follow the dtype and the device of their user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor

from probgen.distributions.base import Distribution

__all__ = ["ParameterFree"]


class ParameterFree(Distribution):
    """A law that is known completely by its shapes (abstract).

    Args:
        event_shape: Shape of one draw.
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions._parameter_free import ParameterFree
        >>> law = standard_normal(2)
        >>> isinstance(law, ParameterFree), law.like(torch.zeros(1, dtype=torch.float64)).sample().dtype
        (True, torch.float64)
    """

    has_rsample = True

    def __init__(
        self,
        event_shape: Sequence[int] = (),
        batch_shape: Sequence[int] = (),
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.dtype = dtype
        self.device = device
        super().__init__(torch.Size(batch_shape), torch.Size(event_shape), validate_args=validate_args)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        return self._expanded(batch_shape, _instance)

    def like(self, reference: Tensor) -> Self:
        """The same law drawing in the dtype and on the device of ``reference``, where they were left open."""
        if self.dtype is not None and self.device is not None:
            return self
        new = self._expanded(self.batch_shape)
        new.dtype = reference.dtype if self.dtype is None else self.dtype
        new.device = reference.device if self.device is None else self.device
        return new

    def _draw(self, shape: torch.Size) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_draw`.")

    def _filled(self, value: float, *, event: bool = True) -> Tensor:
        """The number in every place of the batch (and of the event)."""
        shape = self.batch_shape + self.event_shape if event else self.batch_shape
        return torch.full(shape, value, dtype=self.dtype or torch.get_default_dtype(), device=self.device)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(event_shape={tuple(self.event_shape)}, batch_shape={tuple(self.batch_shape)})"
