r"""PixelCNN++ as a law of images: pixels on levels, a mixture of discretized logistics each, on several grids.

A pixel with all its colors is one position; the element says how its colors depend on each other: the location of a color moves
with the colors before it, :math:`\mu_g + \alpha r`, :math:`\mu_b + \beta r + \gamma g`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probgen.autoregressive.parts import image_law
from probgen.distributions import AutoregressiveLaw, Quantization
from probgen.distributions.elements import DiscretizedLogisticMixtureElement, Element
from probgen.distributions.embeddings import Embedding
from probgen.nn import PixelCNNPlusPlus

__all__ = ["pixel_cnn_plus_plus"]


def pixel_cnn_plus_plus(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    filters: int = 64,
    blocks: int = 2,
    levels: int = 2,
    dropout: float = 0.5,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
    **options: Any,
) -> AutoregressiveLaw:
    """Residual blocks on a fine and on coarser grids, with shortcuts between them.

    Args:
        event_shape: ``(H, W)``, or ``(C, H, W)`` with colors.
        element: The law of a pixel; by default a mixture of ten discretized logistics on 256 levels from -1 to 1.
        filters: Channels of both streams.
        blocks: Residual blocks of each stream on a level.
        levels: Grids, each half as fine as the one before.
        dropout: Probability with which a number inside a block is dropped in training.
        context_shape: Trailing shape of a context of the image, or None.
        embedding: How values enter the network; ``default_embedding(element)`` by default.
        **options: Further options of ``probgen.nn.PixelCNNPlusPlus``.

    Raises:
        ValueError: the element is the law of one color of several.

    References:
        Salimans, Karpathy, Chen, Kingma (2017). PixelCNN++: improving the PixelCNN with discretized logistic mixture likelihood
        and other modifications. https://arxiv.org/abs/1701.05517

    Example:
        >>> import probgen as pg
        >>> law = pg.autoregressive.pixel_cnn_plus_plus((3, 6, 6), filters=4, blocks=1).eval()
        >>> law().sample((2,)).shape
        torch.Size([2, 3, 6, 6])
    """
    if element is None:
        colors = event_shape[0] if len(event_shape) == 3 else None
        element = DiscretizedLogisticMixtureElement(Quantization(256, -1.0, 1.0), components=10, channels=colors)
    return image_law(
        PixelCNNPlusPlus,
        event_shape,
        element,
        embedding,
        filters=filters,
        blocks=blocks,
        levels=levels,
        dropout=dropout,
        context_shape=context_shape,
        **options,
    )
