r"""PixelCNN as laws of images: masked convolutions, and gated ones without a blind spot.

.. math:: p(x \mid c) = \prod_{i} p\bigl(x_i \mid \theta_i(x_{<i}, c)\bigr) \quad \text{in raster order}

Colors of scalar elements come one after another within a pixel, each after those before it; an element that is a whole pixel
(``DiscretizedLogisticMixtureElement``) knows itself how its colors depend on each other. A context is a vector for the image, a
class as a unit vector say, or features at each pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probgen.autoregressive.parts import image_law
from probgen.distributions import AutoregressiveLaw
from probgen.distributions.elements import Element
from probgen.distributions.embeddings import Embedding
from probgen.nn.causal import GatedPixelCNN, PixelCNN

__all__ = ["gated_pixel_cnn", "pixel_cnn"]


def pixel_cnn(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    blocks: int = 8,
    channels: int = 64,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
    **options: Any,
) -> AutoregressiveLaw:
    """Masked convolutions in residual blocks: quick, with a blind spot above and to the right.

    Args:
        event_shape: ``(H, W)``, or ``(C, H, W)`` with colors.
        element: The law of a position; Bernoulli by default.
        blocks: Residual blocks.
        channels: Channels between blocks; half of them inside.
        context_shape: Trailing shape of a context: a vector for the image, or ``(Cc, H, W)`` features at each pixel.
        embedding: How values enter the network; ``default_embedding(element)`` by default.
        **options: Further options of ``probgen.nn.PixelCNN``: ``dropout``, ``kernel_size``, ...

    References:
        van den Oord, Kalchbrenner, Kavukcuoglu (2016). Pixel recurrent neural networks. https://arxiv.org/abs/1601.06759

    Example:
        >>> import probgen as pg
        >>> pg.autoregressive.pixel_cnn((8, 8), blocks=2, channels=8)().sample((5,)).shape
        torch.Size([5, 8, 8])
    """
    return image_law(
        PixelCNN,
        event_shape,
        element,
        embedding,
        ordered_channels=True,
        blocks=blocks,
        channels=channels,
        context_shape=context_shape,
        **options,
    )


def gated_pixel_cnn(
    event_shape: Sequence[int],
    element: Element | None = None,
    *,
    layers: int = 8,
    channels: int = 64,
    context_shape: Sequence[int] | None = None,
    embedding: Embedding | None = None,
    **options: Any,
) -> AutoregressiveLaw:
    """A vertical and a horizontal stack of gated convolutions, which together see every pixel before.

    Args:
        event_shape: ``(H, W)``, or ``(C, H, W)`` with colors.
        element: The law of a position; Bernoulli by default.
        layers: Gated layers.
        channels: Channels of each stack.
        context_shape: Trailing shape of a context: a vector for the image, or ``(Cc, H, W)`` features at each pixel.
        embedding: How values enter the network; ``default_embedding(element)`` by default.
        **options: Further options of ``probgen.nn.GatedPixelCNN``: ``dropout``, ``kernel_size``, ...

    References:
        van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu (2016). Conditional image generation with PixelCNN
        decoders. https://arxiv.org/abs/1606.05328

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> by_class = pg.autoregressive.gated_pixel_cnn((8, 8), layers=2, channels=8, context_shape=(10,))
        >>> by_class(torch.eye(10)).sample().shape
        torch.Size([10, 8, 8])
    """
    return image_law(
        GatedPixelCNN,
        event_shape,
        element,
        embedding,
        ordered_channels=True,
        layers=layers,
        channels=channels,
        context_shape=context_shape,
        **options,
    )
