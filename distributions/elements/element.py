r"""What stands behind a network: from unconstrained numbers to the law of a coordinate.

An *element* declares how many numbers P it wants for each coordinate and turns ``[*batch, P]`` of them into a law with batch
shape ``[*batch]``. Decoders of latent-variable models and conditionals of autoregressive models are made of the same elements:
one law of a coordinate, whatever network stands before it.

Numbers in half precision, as a network gives them under autocast, are taken to float32: a sum of log-densities over the pixels
of an image has no digits left in bfloat16.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions.discretized import at_least_float32
from probgen.distributions.events import drawn

__all__ = ["Element"]


class Element(nn.Module):
    """From unconstrained parameters to the law of a coordinate, or of a small group such as the colors of a pixel (abstract).

    A subclass sets the attributes and writes ``_law``; also ``_draw``, where drawing is cheaper than making the law.

    Attributes:
        num_parameters: How many numbers P an element wants.
        event_shape: Shape of one element: () for a coordinate, ``(3,)`` for a pixel of three dependent colors.

    Example:
        >>> import torch
        >>> from probgen.distributions.elements import Element, NormalElement
        >>> element = NormalElement()
        >>> isinstance(element, Element), element.num_parameters, element(torch.zeros(5, 2)).batch_shape
        (True, 2, torch.Size([5]))
        >>> element.draw(torch.zeros(5, 2)).shape
        torch.Size([5])
    """

    num_parameters: int
    event_shape: tuple[int, ...] = ()

    def _law(self, parameters: Tensor) -> TorchDistribution:
        raise NotImplementedError(f"{type(self).__name__} does not define `_law`.")

    def _draw(self, parameters: Tensor) -> Tensor:
        return drawn(self._law(parameters))

    def num_outputs(self, event_shape: Sequence[int]) -> int:
        """How many numbers a network must give for an event, P for each of its elements.

        Args:
            event_shape: Shape of the event; it begins with the element's.
        """
        return self.num_parameters * math.prod(event_shape[len(self.event_shape) :])

    def forward(self, parameters: Tensor) -> TorchDistribution:
        """The law with batch shape ``[*batch]`` and events of ``event_shape``.

        Args:
            parameters: Any real numbers, ``[*batch, num_parameters]``; half precision becomes float32.

        Raises:
            ValueError: the last dimension is not ``num_parameters``.
        """
        return self._law(self._prepared(parameters))

    def draw(self, parameters: Tensor) -> Tensor:
        """Draw from the law, without gradients: ``forward(parameters).sample()`` in law, but no law need be made.

        Sequential draws make one law a position, of a few numbers, which takes longer than drawing them. Nothing is checked:
        of parameters that are NaN an element draws what is no value of its own.

        Args:
            parameters: Any real numbers, ``[*batch, num_parameters]``; half precision becomes float32.

        Returns:
            Draws ``[*batch, *event_shape]``.

        Raises:
            ValueError: the last dimension is not ``num_parameters``.
        """
        found = self._draw(self._prepared(parameters))
        return found.detach() if found.requires_grad else found

    def _prepared(self, parameters: Tensor) -> Tensor:
        """Parameters of the right size, at least in float32."""
        if not parameters.dim() or parameters.shape[-1] != self.num_parameters:
            raise ValueError(
                f"`parameters` of {type(self).__name__} must end with {self.num_parameters} numbers an element; "
                f"got shape {tuple(parameters.shape)}."
            )
        return at_least_float32(parameters)
