r"""What all denoising networks share: how they are called, what they check, how noise level and context reach them.

.. math::

    e = \mathrm{SiLU}\big(\mathrm{embed}(\lambda) + W v(c)\big), \qquad
    \mathrm{output} = \mathrm{network}\big([x, I(c)], e, S(c)\big)

with the log-SNR :math:`\lambda` and of the context :math:`c` its vector :math:`v`, its image :math:`I`, its sequence :math:`S`.
What the output means (noise, clean data, velocity, ...) is not the network's business: it has the event's shape, or
another number of channels along the event's first dimension, twice as many for a learned variance.
"""

from __future__ import annotations

import abc
import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions._checks import require_context, require_event_shape
from probgen.nn.attention import differentiable_attention
from probgen.nn.conditioning import Conditioning, Conditions
from probgen.nn.image_shape import image_sizes
from probgen.nn.noise_embedding import NoiseEmbedding

__all__ = ["DenoisingNetwork", "image_channels", "image_shapes", "join_image"]


class DenoisingNetwork(nn.Module, abc.ABC):
    """A network of noisy data, a log-SNR and perhaps a context (abstract): ``network(x, log_snr, context)``.

    A subclass writes ``_predict`` for checked input with one batch dimension; it computes every sample on its own.

    Attributes:
        event_shape: Shape of one datum.
        out_shape: Shape of one output.
        context_shape: Shape of one context, None if it takes none.

    Args:
        event_shape: Shape of one datum.
        out_shape: Shape of one output.
        embedding_features: Width of the features :math:`e` of noise level and context.
        base_features: How many sinusoidal or Fourier features of the log-SNR.
        embedding: Which features of the log-SNR.
        conditioning: What turns a context into features; None: the network takes no context.

    Raises:
        TypeError: ``conditioning`` is not a ``Conditioning``.

    Example:
        >>> from probgen.nn import DenoisingNetwork, UNet
        >>> issubclass(UNet, DenoisingNetwork)
        True
    """

    def __init__(
        self,
        event_shape: tuple[int, ...],
        out_shape: tuple[int, ...],
        *,
        embedding_features: int,
        base_features: int,
        embedding: Literal["sinusoidal", "fourier"],
        conditioning: Conditioning | None,
    ) -> None:
        super().__init__()
        if not (conditioning is None or isinstance(conditioning, Conditioning)):
            raise TypeError(f"`conditioning` must be a Conditioning or None; got {type(conditioning).__name__}.")
        self.event_shape, self.out_shape = event_shape, out_shape
        self.context_shape = None if conditioning is None else conditioning.context_shape
        self.noise_embedding = NoiseEmbedding(embedding_features, base_features, embedding=embedding)
        self.conditioning = conditioning
        vector = 0 if conditioning is None else conditioning.vector_features
        self.vector_projection = nn.Linear(vector, embedding_features) if vector else None

    @property
    def null_context(self) -> Tensor | None:
        """The context that means "no condition", of shape ``context_shape``; None for a network that takes no context."""
        return None if self.conditioning is None else self.conditioning.null_context

    def forward(self, x: Tensor, log_snr: Tensor, context: Tensor | None = None) -> Tensor:
        """Map ``x`` ``[*batch, *event_shape]`` at noise levels ``log_snr`` to ``[*batch, *out_shape]``.

        Args:
            x: Noisy data.
            log_snr: Log signal-to-noise ratio of each datum, broadcastable to ``[*batch]``; any floating dtype, maybe infinite.
            context: ``[*context_shape]`` with leading dimensions that broadcast to ``[*batch]``; None for a network without.

        Raises:
            TypeError: ``x`` or ``log_snr`` is no floating tensor, or the context has the wrong dtype.
            ValueError: a shape is wrong; a ``ContextError`` where it is the context's, or where the context is missing.
        """
        rank = len(self.event_shape)
        require_event_shape("x", x, rank, self.event_shape)
        batch = x.shape[: x.dim() - rank]
        _require_levels(log_snr, batch)
        require_context(type(self).__name__, context, self.context_shape, batch)
        shape = self.context_shape or ()
        log_snr = log_snr.expand(batch)
        if context is not None:
            context = context.expand((*batch, *shape))
        if len(batch) == 1:
            return self._run(x, log_snr, context)
        size = math.prod(batch)
        if context is not None:
            context = context.reshape((size, *shape))
        flat = self._run(x.reshape((size, *self.event_shape)), log_snr.reshape(size), context)
        return flat.reshape((*batch, *self.out_shape))

    def _run(self, x: Tensor, log_snr: Tensor, context: Tensor | None) -> Tensor:
        """The output for one batch dimension."""
        with differentiable_attention(x, log_snr):
            conditions = Conditions() if self.conditioning is None or context is None else self.conditioning(context)
            features = self.noise_embedding(log_snr)
            if self.vector_projection is not None and conditions.vector is not None:
                features = features + self.vector_projection(conditions.vector.to(self.vector_projection.weight.dtype))
            return self._predict(x, F.silu(features), conditions).to(x.dtype)  # autocast would leave less

    @abc.abstractmethod
    def _predict(self, x: Tensor, features: Tensor, conditions: Conditions) -> Tensor:
        """The output ``[N, *out_shape]`` for ``x`` ``[N, *event_shape]``, ``features`` ``[N, embedding_features]``."""


def image_shapes(event_shape: Sequence[int], out_channels: int | None) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """The event shape of images and the output's, with ``out_channels`` (the event's if None) in place of the channels.

    Args:
        event_shape: ``(C, H, W)``.
        out_channels: Channels of the output.

    Returns:
        Both shapes.

    Raises:
        ValueError: the event shape is not that of an image, or a size is not positive.

    Example:
        >>> from probgen.nn.denoising_network import image_shapes
        >>> image_shapes((3, 8, 8), 6)
        ((3, 8, 8), (6, 8, 8))
    """
    shape = image_sizes(event_shape, name="event_shape")
    channels = shape[0] if out_channels is None else out_channels
    if channels < 1:
        raise ValueError(f"`out_channels` must be positive; got {out_channels}.")
    return shape, (channels, *shape[1:])


def image_channels(conditioning: Conditioning | None) -> int:
    """How many channels a conditioning's image adds to the input.

    Args:
        conditioning: The conditioning, or None.

    Example:
        >>> from probgen.nn import ImageConditioning
        >>> from probgen.nn.denoising_network import image_channels
        >>> image_channels(ImageConditioning(3, 8, 8))
        4
    """
    return 0 if conditioning is None else conditioning.image_shape[0]


def join_image(x: Tensor, image: Tensor | None) -> Tensor:
    """Concatenate an image ``[N, K, h, w]``, resized bilinearly, to ``x`` ``[N, C, H, W]``.

    Args:
        x: What it is concatenated to.
        image: The image, or None for nothing.

    Returns:
        ``[N, C + K, H, W]``.

    Example:
        >>> import torch
        >>> from probgen.nn.denoising_network import join_image
        >>> join_image(torch.zeros(2, 1, 8, 8), torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 4, 8, 8])
    """
    if image is None:
        return x
    if image.shape[2:] != x.shape[2:]:
        image = F.interpolate(image, size=x.shape[2:], mode="bilinear", align_corners=False)
    return torch.cat([x, image.to(x.dtype)], dim=1)


def _require_levels(log_snr: Tensor, batch: torch.Size) -> None:
    """Check that ``log_snr`` is a floating tensor that broadcasts to ``batch``."""
    if not isinstance(log_snr, Tensor):
        raise TypeError(f"`log_snr` must be a torch.Tensor; got {type(log_snr).__name__}.")
    if not log_snr.is_floating_point():
        raise TypeError(f"`log_snr` must have a floating-point dtype; got {log_snr.dtype}.")
    shape, wanted = tuple(log_snr.shape), tuple(batch)
    if shape != wanted and not (
        len(shape) <= len(wanted) and all(n in (1, m) for n, m in zip(shape[::-1], wanted[::-1], strict=False))
    ):
        raise ValueError(f"`log_snr` must have a shape that broadcasts to the batch shape {wanted} of `x`; got {shape}.")
