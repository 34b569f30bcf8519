r"""A network and an element: from a context to the autoregressive law of an event.

.. math:: p(x \mid c) = \prod_i p\bigl(x_i \mid \theta_i(x_{A_i}, c)\bigr)

As a module it can be trained, saved and moved, and it stands where a decoder, an encoder or a prior stands: what ``NetworkLaw``
is for elements that are independent given the input, this is for elements that depend on those before them.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from probgen.distributions.autoregressive.distribution import Autoregressive
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding, ScaledEmbedding

__all__ = ["AutoregressiveLaw"]


class AutoregressiveLaw(nn.Module):
    r"""A learned autoregressive law; calling it gives the distribution.

    Args:
        network: An incremental network with one coordinate a position.
        event_shape: Shape of an event; it begins with the element's shape.
        element: The law of one position.
        embedding: How values enter the network; as they are by default.

    Raises:
        TypeError: ``network``, ``element`` or ``embedding`` is of another kind.
        ValueError: their sizes do not fit; see ``Autoregressive``.

    Example:
        >>> import torch
        >>> from probgen.distributions import AutoregressiveLaw
        >>> from probgen.distributions.elements import BernoulliElement
        >>> from probgen.nn import MADE
        >>> model = AutoregressiveLaw(MADE(9, 1, hidden=(16,), context_features=2), (3, 3), BernoulliElement())
        >>> law = model(torch.zeros(5, 2))
        >>> law.batch_shape, law.sample().shape
        (torch.Size([5]), torch.Size([5, 3, 3]))
    """

    def __init__(
        self,
        network: IncrementalNetwork,
        event_shape: Sequence[int],
        element: Element,
        embedding: Embedding | None = None,
    ) -> None:
        super().__init__()
        Autoregressive(network, event_shape, element, embedding=embedding)  # whether they fit
        self.network = network
        self.event_shape = tuple(event_shape)
        self.element = element
        self.embedding = ScaledEmbedding() if embedding is None else embedding

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context, or None."""
        return self.network.context_shape

    def forward(self, context: Tensor | None = None) -> Autoregressive:
        """The law of an event, with the batch shape of the context.

        Args:
            context: Shape ``[*batch, *context_shape]``, if the network takes one.

        Raises:
            ContextError: the context has another shape.
        """
        return Autoregressive(self.network, self.event_shape, self.element, embedding=self.embedding, context=context)
