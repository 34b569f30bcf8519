r"""A network and an element: from any input to the law of an event.

.. math:: p(y \mid x) = \prod_i p\bigl(y_i \mid \theta_i\bigr), \qquad \theta = \mathrm{network}(x)

Decoders (:math:`y` data, :math:`x` latents), encoders (:math:`y` latents, :math:`x` data) and conditional priors are such laws.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.distributions.elements.element import Element
from probgen.distributions.elements.element_grid import ElementGrid
from probgen.distributions.events import batch_of, one_batch_dim

__all__ = ["NetworkLaw"]


class NetworkLaw(nn.Module):
    r"""From an input to the law of an event whose elements are independent given the input.

    The network maps ``[N, *input_shape]`` (and a context ``[N, *context_shape]``, where given) to ``[N, ...]`` with P numbers
    an element, parameter by parameter: ``[N, P * D]`` for vectors, ``[N, P * C, H, W]`` for images, in general any shape that
    reads as ``[N, P, *event_shape]``. A network that starts with vectors gets images flat if it is put behind ``nn.Flatten``.

    Args:
        network: The network; it sees one batch dimension.
        element: The law of an element.
        event_shape: Shape of an event.
        input_shape: Shape of an input.
        context_shape: Trailing shape of the context that the network takes as its second argument, or None.

    Raises:
        ValueError: the element's shape does not begin ``event_shape``.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.distributions.elements import BernoulliElement, NetworkLaw
        >>> decoder = NetworkLaw(nn.Linear(2, 64), BernoulliElement(), event_shape=(1, 8, 8), input_shape=(2,))
        >>> law = decoder(torch.zeros(7, 5, 2))
        >>> law.batch_shape, law.event_shape
        (torch.Size([7, 5]), torch.Size([1, 8, 8]))
    """

    def __init__(
        self,
        network: nn.Module,
        element: Element,
        event_shape: Sequence[int],
        input_shape: Sequence[int],
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.element = element
        self.event_shape = tuple(event_shape)
        self.input_shape = tuple(input_shape)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        inner = len(element.event_shape)
        if self.event_shape[:inner] != element.event_shape:
            raise ValueError(
                f"`event_shape` must begin with the element's shape {element.event_shape}; got {self.event_shape}."
            )

    def forward(self, x: Tensor, context: Tensor | None = None) -> TorchDistribution:
        """The law of the event, with the batch shape of the input.

        Args:
            x: Inputs ``[*batch, *input_shape]``.
            context: Shape ``[*batch, *context_shape]``, broadcasting with the batch of ``x``, if the network takes one.

        Raises:
            ValueError: the input has another shape, or the network gives another number of parameters.
        """
        batch = batch_of(f"the input of {type(self).__name__}", x, self.input_shape)
        require_context(type(self).__name__, context, self.context_shape, batch)
        if context is None:
            return self._law(self.network(one_batch_dim(x, batch, self.input_shape)), batch)
        wanted: tuple[int, ...] = self.context_shape or ()
        batch = torch.Size(torch.broadcast_shapes(batch, context.shape[: context.dim() - len(wanted)]))
        return self._law(self.network(one_batch_dim(x, batch, self.input_shape), one_batch_dim(context, batch, wanted)), batch)

    def _law(self, output: Tensor, batch: torch.Size) -> TorchDistribution:
        parts, outer = self.element.num_parameters, self.event_shape[len(self.element.event_shape) :]
        wanted = self.element.num_outputs(self.event_shape)
        if math.prod(output.shape[1:]) != wanted:
            raise ValueError(
                f"the network must give {wanted} numbers for an event {self.event_shape} of {type(self.element).__name__}, "
                f"{parts} an element; got {tuple(output.shape[1:])}."
            )
        law = self.element(_parameters_last(output, batch, parts, outer))
        if self.element.event_shape and outer:
            return ElementGrid(law, len(outer))
        return cast(TorchDistribution, dist.Independent(law, len(outer)))


def _parameters_last(output: Tensor, batch: torch.Size, parts: int, outer: tuple[int, ...]) -> Tensor:
    """The network's output ``[N, ...]`` as ``[*batch, *outer, P]``."""
    if parts > 1:
        return output.reshape(*batch, parts, *outer).movedim(len(batch), -1)
    shape = (*batch, *outer)
    return (output if output.shape == shape else output.reshape(shape)).unsqueeze(-1)  # a view less on the way back
