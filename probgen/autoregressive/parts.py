r"""What every recipe chooses alike: how values enter a network, and how many positions and numbers it has.

A network learns best from numbers around zero, of size one. Pixels in black and white become :math:`\pm 1`, levels span
:math:`[-1, 1]`, codes that have no order become unit vectors, and real numbers are taken as they are (standardize the data).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from probgen.distributions import AutoregressiveLaw, OneHotEmbedding, Quantization, ScaledEmbedding
from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.elements import BernoulliElement, CategoricalElement, Element
from probgen.distributions.embeddings import Embedding

__all__ = ["Layout", "default_embedding", "image_law", "layout_of"]


def default_embedding(element: Element) -> Embedding:
    """How the values of an element should enter a network.

    Args:
        element: The law of a position.

    Returns:
        Numbers between -1 and 1 for bits and levels, unit vectors for codes ``0, ..., S - 1``, else the values themselves.

    Example:
        >>> import torch
        >>> from probgen.autoregressive import default_embedding
        >>> from probgen.distributions.elements import BernoulliElement, CategoricalElement
        >>> default_embedding(BernoulliElement())(torch.tensor([0.0, 1.0]), torch.float32).flatten()
        tensor([-1.,  1.])
        >>> default_embedding(CategoricalElement(3)).size
        3
    """
    if isinstance(element, BernoulliElement):
        return ScaledEmbedding(0.5, 0.5)
    levels = element.values if isinstance(element, CategoricalElement) else getattr(element, "quantization", None)
    if isinstance(levels, Quantization):
        return ScaledEmbedding((levels.low + levels.high) / 2, (levels.high - levels.low) / 2)
    return OneHotEmbedding(levels) if isinstance(levels, int) else ScaledEmbedding()


class Layout(NamedTuple):
    """Sizes of the network behind a law.

    Attributes:
        element: The law of a position.
        embedding: How values enter the network.
        grid: Shape of the positions, ``(T,)`` or ``(H, W)``.
        channels: How many numbers the network sees of a position.
        ordered: Whether each channel is a position of its own, after those before it (colors of scalar elements).

    Example:
        >>> from probgen.autoregressive import Layout
        >>> Layout._fields
        ('element', 'embedding', 'grid', 'channels', 'ordered')
    """

    element: Element
    embedding: Embedding
    grid: tuple[int, ...]
    channels: int
    ordered: bool

    @property
    def features(self) -> int:
        """How many positions there are, colors of scalar elements included."""
        return math.prod(self.grid) * (self.channels if self.ordered else 1)


def layout_of(
    event_shape: Sequence[int], element: Element | None, embedding: Embedding | None, grid_dims: int | None = None
) -> Layout:
    """The sizes that follow from an event's shape and the law of a position.

    Args:
        event_shape: Shape of an event; it begins with the element's shape.
        element: The law of a position; Bernoulli by default.
        embedding: How values enter; by default what ``default_embedding`` says.
        grid_dims: How many dimensions positions have, 1 for sequences and 2 for images; None for all that there are.

    Raises:
        ValueError: the event has another number of dimensions, or colors of their own enter as more than one number.

    Example:
        >>> from probgen.autoregressive import layout_of
        >>> layout = layout_of((3, 8, 8), None, None, grid_dims=2)
        >>> layout.grid, layout.channels, layout.ordered
        ((8, 8), 3, True)
    """
    element = BernoulliElement() if element is None else element
    embedding = default_embedding(element) if embedding is None else embedding
    inner = tuple(element.event_shape)
    shape = tuple(event_shape)
    colors, grid = shape[: len(inner)], shape[len(inner) :]
    if grid_dims is None or len(grid) == grid_dims:
        return Layout(element, embedding, grid, embedding.size * math.prod(colors), ordered=False)
    if not inner and len(grid) == grid_dims + 1:
        if grid[0] > 1 and embedding.size > 1:
            raise ValueError(
                f"`embedding` must give one number where each of {grid[0]} colors is a position of its own; "
                f"{type(embedding).__name__} gives {embedding.size}. Use a ScaledEmbedding, or an element with a Quantization."
            )
        count = grid[0] if grid[0] > 1 else embedding.size
        return Layout(element, embedding, grid[1:], count, ordered=grid[0] > 1)
    wanted = f"({', '.join([*map(str, inner), *('T' if grid_dims == 1 else 'HW')])})"
    raise ValueError(f"`event_shape` must be {wanted}, with colors in front if there are any; got {shape}.")


def image_law(
    network: Callable[..., IncrementalNetwork],
    event_shape: Sequence[int],
    element: Element | None,
    embedding: Embedding | None,
    *,
    ordered_channels: bool = False,
    **options: Any,
) -> AutoregressiveLaw:
    """The law of images behind a network that is made from the shape of an image and the numbers for a position.

    Args:
        network: Makes the network, ``network((C, H, W), num_outputs, **options)``.
        event_shape: ``(H, W)``, or ``(C, H, W)`` with colors.
        element: The law of a position; Bernoulli by default.
        embedding: How values enter; by default what ``default_embedding`` says.
        ordered_channels: Whether the network can take each color as a position of its own; it then is told so by an option of
            that name.
        **options: Further options of the network.

    Raises:
        ValueError: the element is the law of one color of several, and the network takes whole pixels only.

    Example:
        >>> from probgen.autoregressive.parts import image_law
        >>> from probgen.nn import PixelCNN
        >>> image_law(PixelCNN, (8, 8), None, None, ordered_channels=True, blocks=1, channels=8)().event_shape
        torch.Size([8, 8])
    """
    layout = layout_of(event_shape, element, embedding, grid_dims=2)
    if ordered_channels:
        options["ordered_channels"] = layout.ordered
    elif layout.ordered:
        raise ValueError(
            f"`element` must be a law of all {layout.channels} colors of a pixel, such as `DiscretizedLogisticMixtureElement`; "
            f"got {layout.element}."
        )
    made = network((layout.channels, *layout.grid), layout.element.num_parameters, **options)
    return AutoregressiveLaw(made, event_shape, layout.element, layout.embedding)
