r"""Generator and critic as multilayer perceptrons, for vectors and small images.

.. math:: g(z, c) = \mathrm{MLP}([z, e(c)]), \qquad v(x, c) = \mathrm{MLP}([x, e'(c)])

A context enters both by concatenation. The two players have embeddings :math:`e, e'` of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from probgen.nn.adversarial.condition_vector import ConditionedNetwork
from probgen.nn.conditioning import Conditioning
from probgen.nn.mlp import MLP

__all__ = ["MLPCritic", "MLPGenerator"]


class MLPGenerator(ConditionedNetwork):
    """Noise ``[n, noise_features]``, and a context, to events ``[n, *event_shape]``.

    Args:
        event_shape: Shape of an event.
        noise_features: Width of the noise.
        hidden: Widths of the hidden layers.
        activation: Makes the activation of hidden layers.
        output: Applied to the events: ``nn.Tanh()`` for images in [-1, 1], say; None for nothing.
        conditioning: What turns a context into a vector; None: no context.

    Example:
        >>> import torch
        >>> from probgen.nn import MLPGenerator
        >>> MLPGenerator((1, 8, 8), 16)(torch.zeros(5, 16)).shape
        torch.Size([5, 1, 8, 8])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        noise_features: int,
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
        output: nn.Module | None = None,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__(conditioning)
        self.event_shape, self.noise_features = tuple(event_shape), noise_features
        size, width = math.prod(self.event_shape), self.condition.features
        self.network = MLP(noise_features, size, hidden=hidden, activation=activation, context_features=width)
        self.output = nn.Identity() if output is None else output

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Events ``[n, *event_shape]`` of noise ``[n, noise_features]`` and a context ``[n, *context_shape]``.

        Raises:
            ValueError: the noise has another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("noise", noise, (self.noise_features,), context)
        made: Tensor = self.output(self.network(noise, condition))
        return made.reshape(-1, *self.event_shape)


class MLPCritic(ConditionedNetwork):
    """Events ``[n, *event_shape]``, and a context, to outputs ``[n, 1]``.

    Args:
        event_shape: Shape of an event, or of a pack of them.
        hidden: Widths of the hidden layers.
        activation: Makes the activation of hidden layers.
        conditioning: What turns a context into a vector; None: no context.

    Example:
        >>> import torch
        >>> from probgen.nn import MLPCritic
        >>> MLPCritic((1, 8, 8))(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        hidden: Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__(conditioning)
        self.event_shape = tuple(event_shape)
        size, width = math.prod(self.event_shape), self.condition.features
        self.network = MLP(size, 1, hidden=hidden, activation=activation, context_features=width)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[n, 1]`` of events ``[n, *event_shape]`` and a context ``[n, *context_shape]``.

        Raises:
            ValueError: the events have another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("x", x, self.event_shape, context)
        return self.network(x[:, None].flatten(1), condition)  # type: ignore[no-any-return]
