r"""Feature extractors for distances between sets of examples: what a number was computed on is a part of the number.

A distance between two sets of images is one between their features, and it means nothing without the name of the extractor:
of one pair of sets, pixels and two classifiers give three numbers of different sizes. An extractor here is any function from
examples to a matrix; ``describe`` says what it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["FeatureExtractor", "PixelFeatures", "describe"]


FeatureExtractor = Callable[[Tensor], Tensor]
"""From examples ``[n, *event]`` to features ``[n, features]``; ``str`` of it, or its ``__name__``, goes with every number."""


class PixelFeatures:
    """The values of the example themselves, flattened.

    Args:
        event_shape: Shape of one example.

    Raises:
        ValueError: ``event_shape`` holds no value.

    Example:
        >>> import torch
        >>> from probgen.metrics import PixelFeatures
        >>> extractor = PixelFeatures((8, 8))
        >>> extractor, extractor(torch.zeros(5, 8, 8)).shape
        (pixels, 64 features, torch.Size([5, 64]))
    """

    def __init__(self, event_shape: tuple[int, ...]) -> None:
        self.event_shape = tuple(event_shape)
        self.num_features = torch.Size(event_shape).numel()
        if self.num_features < 1:
            raise ValueError(f"`event_shape` must hold at least one value; got {self.event_shape}.")

    def __call__(self, examples: Tensor) -> Tensor:
        """Flatten examples ``[n, *event_shape]`` of any dtype to ``[n, num_features]``."""
        if tuple(examples.shape[1:]) != self.event_shape:
            raise ValueError(f"`examples` must have shape [n, {_listed(self.event_shape)}]; got {tuple(examples.shape)}.")
        values = examples if examples.is_floating_point() else examples.to(torch.get_default_dtype())
        return values.flatten(1) if self.event_shape else values[:, None]

    def __repr__(self) -> str:
        return f"pixels, {self.num_features} features"


def describe(extractor: FeatureExtractor, num_features: int) -> str:
    """The words that go with every number computed on these features.

    Args:
        extractor: A function, or an object that describes itself by ``str``.
        num_features: How many numbers it gives for an example.

    Example:
        >>> import torch
        >>> from probgen.metrics.features import describe
        >>> describe(torch.relu, 64)
        'relu, 64 features'
    """
    name = getattr(extractor, "__name__", None)
    return str(extractor) if name is None else f"{name}, {num_features} features"


def _listed(shape: tuple[int, ...]) -> str:
    return ", ".join(str(size) for size in shape)
