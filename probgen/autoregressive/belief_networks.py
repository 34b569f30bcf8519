r"""The first autoregressive laws: a logistic regression for each position, and one hidden layer shared by all.

.. math:: \text{FVSBN: } \theta_i = b_i + \sum_{j < i} W_{ij} x_j, \qquad
   \text{NADE: } \theta_i = V_i\, \sigma\Bigl(b + \sum_{j < i} W_j\, x_j\Bigr) + d_i

Both take contexts and any element, and any order of the positions.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.autoregressive.parts import layout_of
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding
from probgen.nn import FVSBN, NADE

__all__ = ["fvsbn", "nade"]


def fvsbn(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    order: Sequence[int] | None = None,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
) -> AutoregressiveLaw:
    """A fully visible sigmoid belief network: every conditional is a (generalized) linear model.

    Args:
        event_shape: Shape of an event; positions count in row-major order.
        element: The law of a position; Bernoulli by default.
        order: Which position comes first, second, ...; None for their own order.
        context_shape: Trailing shape of a context, or None.
        embedding: How values enter the network; ``default_embedding(element)`` by default.

    References:
        Frey, Hinton, Dayan (1996). Does the wake-sleep algorithm produce good density estimators?
        https://papers.nips.cc/paper/1153

    Example:
        >>> import probgen as pg
        >>> pg.autoregressive.fvsbn((8, 8))().sample((5,)).shape
        torch.Size([5, 8, 8])
    """
    layout = layout_of(event_shape, element, embedding)
    network = FVSBN(
        layout.features,
        layout.element.num_parameters,
        num_inputs=layout.channels,
        context_features=0 if context_shape is None else tuple(context_shape),
        order=order,
    )
    return AutoregressiveLaw(network, event_shape, layout.element, layout.embedding)


def nade(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    hidden: int = 500,
    order: Sequence[int] | None = None,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
) -> AutoregressiveLaw:
    """A neural autoregressive distribution estimator: a hidden layer whose sums grow from position to position.

    Args:
        event_shape: Shape of an event; positions count in row-major order.
        element: The law of a position; Bernoulli by default.
        hidden: Number of hidden units.
        order: Which position comes first, second, ...; None for their own order.
        context_shape: Trailing shape of a context, or None.
        embedding: How values enter the network; ``default_embedding(element)`` by default.

    References:
        Larochelle, Murray (2011). The neural autoregressive distribution estimator.
        https://proceedings.mlr.press/v15/larochelle11a.html

    Example:
        >>> import probgen as pg
        >>> pg.autoregressive.nade((8, 8), hidden=16)().sample((5,)).shape
        torch.Size([5, 8, 8])
    """
    layout = layout_of(event_shape, element, embedding)
    network = NADE(
        layout.features,
        layout.element.num_parameters,
        num_inputs=layout.channels,
        hidden=hidden,
        context_features=0 if context_shape is None else tuple(context_shape),
        order=order,
    )
    return AutoregressiveLaw(network, event_shape, layout.element, layout.embedding)
