r"""PixelRNN as a law of images: recurrent layers along the diagonals or down the rows.

The diagonal bidirectional LSTM sees every pixel before; the row LSTM sees a triangle above, and costs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from probgen.autoregressive.parts import image_law
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding
from probgen.nn import PixelRNN

__all__ = ["pixel_rnn"]


def pixel_rnn(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    kind: Literal["diagonal", "row"] = "diagonal",
    layers: int = 4,
    hidden: int = 16,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
    **options: Any,
) -> AutoregressiveLaw:
    """Recurrent layers with residual connections.

    Args:
        event_shape: ``(H, W)``, or ``(C, H, W)`` with colors.
        element: The law of a position; Bernoulli by default.
        kind: "diagonal" or "row".
        layers: Recurrent layers.
        hidden: Size of a state.
        context_shape: Trailing shape of a context, or None.
        embedding: How values enter the network; ``default_embedding(element)`` by default.
        **options: Further options of ``probgen.nn.PixelRNN``.

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import probgen as pg
        >>> pg.autoregressive.pixel_rnn((4, 4), kind="row", layers=1, hidden=4)().sample((5,)).shape
        torch.Size([5, 4, 4])
    """
    return image_law(
        PixelRNN,
        event_shape,
        element,
        embedding,
        ordered_channels=True,
        kind=kind,
        layers=layers,
        hidden=hidden,
        context_shape=context_shape,
        **options,
    )
