r"""MADE as a law: one masked network, with a linear skip connection and dropout.

.. math:: \theta_i = \bigl[\mathrm{MADE}(x)\bigr]_i + \sum_{j \in A_i} V_{ij} x_j

The linear term alone is a fully visible sigmoid belief network; the masked network adds what is not linear. The order of the
coordinates is free. Dropout of hidden units keeps every conditional what it is, a function of what comes before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from probgen.autoregressive.parts import layout_of
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding
from probgen.nn import MADE

__all__ = ["made"]


def made(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    hidden: Sequence[int] = (500,),
    skip: bool = True,
    dropout: float = 0.0,
    residual: bool = False,
    order: Sequence[int] | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
    seed: int | None = None,
) -> AutoregressiveLaw:
    r"""A masked autoencoder for distribution estimation, over events of any shape.

    Args:
        event_shape: Shape of an event; positions count in row-major order.
        element: The law of a position; Bernoulli by default.
        hidden: Widths of the hidden layers.
        skip: Whether the values also act linearly on the parameters.
        dropout: Probability with which a hidden unit is dropped in training.
        residual: Use residual blocks of two layers (an odd number of equal widths).
        order: Which position comes first, second, ...; None for their own order.
        activation: Makes the elementwise activation.
        context_shape: Trailing shape of a context, or None.
        embedding: How values enter the network; ``default_embedding(element)`` by default.
        seed: None to spread the hidden units' sets evenly; a number to draw them at random.

    References:
        Germain, Gregor, Murray, Larochelle (2015). MADE: masked autoencoder for distribution estimation.
        https://arxiv.org/abs/1502.03509

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> law = pg.autoregressive.made((3, 3), hidden=(32,), dropout=0.1)
        >>> _ = law.eval()
        >>> torch.allclose(law().log_prob(law().enumerate_support()).exp().sum(), torch.tensor(1.0))
        True
    """
    layout = layout_of(event_shape, element, embedding)
    network = MADE(
        layout.features,
        layout.element.num_parameters,
        num_inputs=layout.channels,
        hidden=hidden,
        context_features=0 if context_shape is None else tuple(context_shape),
        order=order,
        activation=activation,
        residual=residual,
        seed=seed,
        skip=skip,
        dropout=dropout,
    )
    return AutoregressiveLaw(network, event_shape, layout.element, layout.embedding)
