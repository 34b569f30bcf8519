r"""PixelSNAIL as a law of images: causal convolutions for what is near, causal attention for what is far.

A pixel with all its colors is one position, as in PixelCNN++; colors that depend on each other need an element that is a whole
pixel, such as ``DiscretizedLogisticMixtureElement``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probgen.autoregressive.parts import image_law
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding
from probgen.nn.causal import PixelSNAIL

__all__ = ["pixel_snail"]


def pixel_snail(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    filters: int = 64,
    stages: int = 4,
    blocks: int = 2,
    dropout: float = 0.0,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
    **options: Any,
) -> AutoregressiveLaw:
    """Gated residual blocks and attention in turn; each pixel sees all before it.

    Args:
        event_shape: ``(H, W)``, or ``(C, H, W)`` with colors.
        element: The law of a pixel; Bernoulli by default.
        filters: Channels between the layers.
        stages: How many times convolutions and attention follow each other.
        blocks: Gated residual blocks of each stage.
        dropout: Probability with which a number inside a block is dropped in training.
        context_shape: Trailing shape of a context of the image, or None.
        embedding: How values enter the network; ``default_embedding(element)`` by default.
        **options: Further options of ``probgen.nn.causal.PixelSNAIL``.

    Raises:
        ValueError: the element is the law of one color of several.

    References:
        Chen, Mishra, Rohaninejad, Abbeel (2018). PixelSNAIL: an improved autoregressive generative model.
        https://proceedings.mlr.press/v80/chen18h.html

    Example:
        >>> import probgen as pg
        >>> law = pg.autoregressive.pixel_snail((4, 4), filters=8, stages=1, blocks=1).eval()
        >>> law().sample((5,)).shape
        torch.Size([5, 4, 4])
    """
    return image_law(
        PixelSNAIL,
        event_shape,
        element,
        embedding,
        filters=filters,
        stages=stages,
        blocks=blocks,
        dropout=dropout,
        context_shape=context_shape,
        **options,
    )
