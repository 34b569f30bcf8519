r"""What a context becomes: features that networks know how to use.

A *context* is one tensor ``[N, *context_shape]``, as the user's data has it: labels, numbers, token ids, an image. A
*conditioning* turns it into ``Conditions``: a vector (added to the features of the noise level), a sequence with a mask
(attended to), an image (concatenated to the input). Every network takes all of them, so a conditioning is written once.

Each declares ``null_context``, one value of the context that means "no condition". Training with some contexts replaced by
it, ``torch.where(keep, context, null_context)``, gives a network that knows both the conditional and the unconditional law,
as classifier-free guidance wants (Ho, Salimans, 2022, https://arxiv.org/abs/2207.12598). A number that is not known is NaN, as
everywhere in this library: zero would be a value like any other. The network sees the numbers with 0 in place of NaN,
and beside them which were known, so partly known vectors and images with holes are contexts too.
"""

from __future__ import annotations

import abc
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from probgen.distributions._checks import value_checks_active

__all__ = ["ClassConditioning", "Conditioning", "Conditions", "ImageConditioning", "VectorConditioning"]


@dataclass(frozen=True)
class Conditions:
    """Features of a context, each None where a conditioning does not give it.

    Attributes:
        vector: ``[N, vector_features]``, added to the features of the noise level.
        sequence: ``[N, L, sequence_features]``, attended to.
        mask: ``[N, L]``, True where the sequence may be attended to; at least one position of every row is.
        image: ``[N, image_channels, H, W]``, resized and concatenated to the input.

    Example:
        >>> import torch
        >>> from probgen.nn import Conditions
        >>> Conditions(vector=torch.zeros(5, 8)).sequence is None
        True
    """

    vector: Tensor | None = None
    sequence: Tensor | None = None
    mask: Tensor | None = None
    image: Tensor | None = None


class Conditioning(nn.Module, abc.ABC):
    """Turns a context ``[N, *context_shape]`` into ``Conditions`` (abstract).

    A subclass sets the sizes of what it gives (0: it does not) and writes ``_conditions`` for a context of the right
    shape and kind.

    Args:
        context_shape: Shape of one context.
        null_context: The context that means "no condition", of that shape; its dtype is what contexts must have (any
            floating dtype for a floating one).
        vector_features: Width of the vector.
        sequence_features: Width of the sequence.
        image_shape: Shape ``(channels, height, width)`` of the image; channels include those that mark known pixels.

    Raises:
        ValueError: ``null_context`` has another shape.

    Example:
        >>> from probgen.nn import ClassConditioning, Conditioning
        >>> issubclass(ClassConditioning, Conditioning)
        True
    """

    null_context: Tensor

    def __init__(
        self,
        context_shape: tuple[int, ...],
        null_context: Tensor,
        *,
        vector_features: int = 0,
        sequence_features: int = 0,
        image_shape: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        super().__init__()
        if tuple(null_context.shape) != context_shape:
            raise ValueError(f"`null_context` must have shape {context_shape}; got {tuple(null_context.shape)}.")
        self.context_shape = context_shape
        self.vector_features, self.sequence_features, self.image_shape = vector_features, sequence_features, image_shape
        self.register_buffer("null_context", null_context, persistent=False)

    def forward(self, context: Tensor) -> Conditions:
        """The conditions that stand in ``context`` ``[N, *context_shape]``.

        Raises:
            TypeError: the context has another dtype than ``null_context``.
            ValueError: it has another shape or, where values may be read, values that mean nothing.
        """
        shape = tuple(context.shape)
        if shape[1:] != self.context_shape or len(shape) != 1 + len(self.context_shape):
            raise ValueError(f"`context` of {type(self).__name__} must have shape (N, *{self.context_shape}); got {shape}.")
        wanted = self.null_context.dtype
        if context.dtype != wanted and not (context.is_floating_point() and wanted.is_floating_point):
            raise TypeError(f"`context` of {type(self).__name__} must have dtype {wanted}; got {context.dtype}.")
        if value_checks_active(context):
            self._check_values(context)
        return self._conditions(context)

    def _check_values(self, context: Tensor) -> None:
        """Refuse values that mean nothing; called only where values may be read."""

    @abc.abstractmethod
    def _conditions(self, context: Tensor) -> Conditions:
        """The conditions in a valid context."""


class ClassConditioning(Conditioning):
    """Labels 0, ..., ``classes - 1``: a learned vector for each, and one for "no label" (the label ``classes``).

    Args:
        classes: How many classes.
        features: Width of the vectors.

    Raises:
        ValueError: there is no class, or no feature.

    Example:
        >>> import torch
        >>> from probgen.nn import ClassConditioning
        >>> conditioning = ClassConditioning(10, features=32)
        >>> conditioning(torch.tensor([3, 7])).vector.shape, conditioning.context_shape, conditioning.null_context
        (torch.Size([2, 32]), (), tensor(10))
    """

    def __init__(self, classes: int, features: int = 128) -> None:
        if classes < 1 or features < 1:
            raise ValueError(f"`classes` and `features` must be positive; got {classes} and {features}.")
        super().__init__((), torch.tensor(classes, dtype=torch.int64), vector_features=features)
        self.classes = classes
        self.embedding = nn.Embedding(classes + 1, features)

    def _check_values(self, context: Tensor) -> None:
        require_indices(context, self.classes + 1, f"`context` of ClassConditioning({self.classes})")

    def _conditions(self, context: Tensor) -> Conditions:
        return Conditions(vector=self.embedding(context))


class VectorConditioning(Conditioning):
    """Numbers, each of which may be unknown (NaN): the vector holds the numbers and, beside them, which are known.

    Args:
        features: How many numbers a context has.

    Raises:
        ValueError: there are none.

    Example:
        >>> import math, torch
        >>> from probgen.nn import VectorConditioning
        >>> VectorConditioning(2)(torch.tensor([[0.5, math.nan]])).vector
        tensor([[0.5000, 0.0000, 1.0000, 0.0000]])
    """

    def __init__(self, features: int) -> None:
        if features < 1:
            raise ValueError(f"`features` must be positive; got {features}.")
        super().__init__((features,), torch.full((features,), math.nan), vector_features=2 * features)

    def _conditions(self, context: Tensor) -> Conditions:
        return Conditions(vector=torch.cat(_known(context), dim=1))


class ImageConditioning(Conditioning):
    """An image, of another resolution perhaps and with holes perhaps (NaN): concatenated to the input by the network.

    The image of the conditions has ``channels + 1`` channels: the values, 0 where unknown, and the share of known channels at
    each pixel. Networks on images resize it bilinearly to their input, others flatten it.

    Args:
        channels: Channels of the context.
        height: Height of the context.
        width: Width of the context.

    Raises:
        ValueError: a size is not positive.

    References:
        Saharia et al. (2021). Image super-resolution via iterative refinement. https://arxiv.org/abs/2104.07636

    Example:
        >>> import torch
        >>> from probgen.nn import ImageConditioning
        >>> ImageConditioning(3, 8, 8)(torch.zeros(2, 3, 8, 8)).image.shape
        torch.Size([2, 4, 8, 8])
    """

    def __init__(self, channels: int, height: int, width: int) -> None:
        if min(channels, height, width) < 1:
            raise ValueError(f"`channels`, `height` and `width` must be positive; got {channels}, {height} and {width}.")
        shape = (channels, height, width)
        super().__init__(shape, torch.full(shape, math.nan), image_shape=(channels + 1, height, width))

    def _conditions(self, context: Tensor) -> Conditions:
        values, known = _known(context)
        return Conditions(image=torch.cat([values, known.mean(1, keepdim=True)], dim=1))


def _known(context: Tensor) -> tuple[Tensor, Tensor]:
    """The numbers with 0 for NaN, and 1 where they are known, 0 elsewhere."""
    unknown = context.isnan()
    return torch.where(unknown, 0.0, context), (~unknown).to(context.dtype)


def require_indices(index: Tensor, count: int, name: str) -> None:
    """Check that all of ``index`` lie in 0, ..., ``count - 1``; reads values.

    Args:
        index: Integers of any shape.
        count: How many there are to choose from.
        name: What the message calls them.

    Raises:
        ValueError: some lie outside.
    """
    if index.numel() and not bool(((index >= 0) & (index < count)).all()):
        raise ValueError(f"{name} must lie in 0, ..., {count - 1}; got values from {int(index.min())} to {int(index.max())}.")
