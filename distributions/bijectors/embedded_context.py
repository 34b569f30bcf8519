r"""A context seen through a network, which runs once for all layers that are told of it.

.. math:: y = f(x;\, e(c)), \qquad \log|\det J| = \log|\det J_{f(\cdot;\, e(c))}(x)|

The network :math:`e` brings a context into the form that the layers take: it reads a sequence, a picture or a spectrogram and
sums it up. It is never inverted, and it is trained with the layers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors._conditioning import in_precision_of
from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.wrapper import Wrapper

__all__ = ["EmbeddedContext"]


class EmbeddedContext(Wrapper):
    r"""The map ``base``, told ``network(context)`` instead of the context.

    Args:
        base: A bijector that takes a context.
        network: From contexts ``[N, *context_shape]``, one batch axis, to what ``base`` takes, ``[N, *base.context_shape]``.
        context_shape: Trailing shape of the context.

    Raises:
        ValueError: ``base`` takes no context; on a call, the network gives another shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Affine, ConditionalElementwise, EmbeddedContext
        >>> f = ConditionalElementwise(Affine(), torch.nn.Linear(4, 2), context_shape=(4,))
        >>> EmbeddedContext(f, torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(6, 4)), (2, 3))(
        ...     torch.zeros(5), torch.zeros(5, 2, 3)
        ... ).shape
        torch.Size([5])
    """

    def __init__(self, base: Bijector, network: nn.Module, context_shape: Sequence[int]) -> None:
        super().__init__(base)
        if base.context_shape is None:
            raise ValueError(f"`base` must take a context; {type(base).__name__} takes none.")
        self.network = network
        self._context_shape = tuple(context_shape)

    @property
    def context_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """What the network takes."""
        return self._context_shape

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Start ``base`` from data ``y``, given the embedded context."""
        with torch.no_grad():
            self.base.initialize_from(y, self._embedded(context))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.base._forward_and_log_det(x, self._embedded(context))

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self.base._inverse_and_log_det(y, self._embedded(context))

    def _forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._forward(x, self._embedded(context))

    def _inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._inverse(y, self._embedded(context))

    def _embedded(self, context: Tensor | None) -> Tensor:
        if context is None:
            raise TypeError("EmbeddedContext needs a context.")  # checked with shapes by the public methods
        cut = context.dim() - len(self._context_shape)
        batch, wanted = context.shape[:cut], self.base.context_shape or ()
        rows = context.reshape(math.prod(batch), *self._context_shape)
        embedded: Tensor = self.network(in_precision_of(self.network, rows))
        if tuple(embedded.shape[1:]) != wanted:
            raise ValueError(f"`network` must give contexts [N, {', '.join(map(str, wanted))}]; got {tuple(embedded.shape)}.")
        return embedded.reshape(*batch, *wanted)
