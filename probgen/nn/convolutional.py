r"""Convolutional networks from images to vectors and back: the encoders and decoders of autoencoders.

.. code-block:: text

    encoder    x ── conv ──[blocks]── down ──[blocks]── down ──[blocks]── flat, linear ── output
    decoder    z ── linear, image ──[blocks]── up ──[blocks]── up ──[blocks]── conv ── output

Level :math:`l` has a grid of :math:`\lceil H / 2^l \rceil \times \lceil W / 2^l \rceil` pixels and ``width * multipliers[l]``
channels, so any H and W will do, odd ones too. The way down halves by convolutions of stride 2, the way up repeats pixels and
convolves. A block is a convolution and an activation, or a residual block; a context enters every one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor, nn

from probgen.nn.convolutional_blocks import ContextFeatures, ConvBuild, ConvLevel, image_grids, require_sizes
from probgen.nn.residual_block import Downsample, Upsample

__all__ = ["ConvDecoder", "ConvEncoder"]


class ConvEncoder(nn.Module):
    r"""A convolutional network from images ``[N, C, H, W]`` to vectors ``[N, out_features]``.

    ``ConvEncoder((1, 28, 28), 40)`` has 109 320 parameters, 62 760 of them in the last linear layer.

    Args:
        image_shape: ``(C, H, W)``.
        out_features: Width of the output: twice the number of latents for a normal law of them.
        width: Channels of the first level.
        multipliers: Channels of each level, as multiples of ``width``.
        blocks: Blocks a level.
        residual: Use residual blocks with group normalization and SiLU.
        normalization: Whether plain blocks normalize groups of channels.
        activation: Makes the activation modules of plain blocks.
        context_features: Width of the context; 0: the network takes none.

    Raises:
        ValueError: a size is not positive, or ``residual`` comes with another activation than SiLU.

    References:
        He, Zhang, Ren, Sun (2016). Identity mappings in deep residual networks. https://arxiv.org/abs/1603.05027

    Example:
        >>> import torch
        >>> from probgen.nn import ConvEncoder
        >>> network = ConvEncoder((1, 28, 28), 40)
        >>> network(torch.zeros(5, 1, 28, 28)).shape, sum(parameter.numel() for parameter in network.parameters())
        (torch.Size([5, 40]), 109320)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        out_features: int,
        *,
        width: int = 32,
        multipliers: Sequence[int] = (1, 1, 1),
        blocks: int = 1,
        residual: bool = False,
        normalization: bool = False,
        activation: Callable[[], nn.Module] = nn.SiLU,
        context_features: int = 0,
    ) -> None:
        super().__init__()
        self.image_shape, grids = image_grids(image_shape, len(multipliers))
        require_sizes(out_features=out_features, width=width, multipliers=multipliers, blocks=blocks)
        features = 4 * width if context_features else 0
        build = ConvBuild(residual=residual, normalization=normalization, activation=activation, features=features)
        channels = [width * multiplier for multiplier in multipliers]
        self.context = ContextFeatures(context_features, features)
        self.first = nn.Conv2d(self.image_shape[0], channels[0], 3, padding=1)
        self.levels = nn.ModuleList()
        for level, out in enumerate(channels):
            parts = build.blocks(channels[max(level - 1, 0)], out, blocks)
            self.levels.append(ConvLevel(parts, Downsample(out) if level + 1 < len(channels) else None, build.after()))
        self.end = build.end(channels[-1])
        self.last = nn.Linear(channels[-1] * math.prod(grids[-1]), out_features)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Map images (and a context ``[N, context_features]``) to ``[N, out_features]``.

        Raises:
            ValueError: the images have another shape; a ``ContextError`` where the context is missing or has.
        """
        if tuple(x.shape[1:]) != self.image_shape:
            raise ValueError(f"`x` of ConvEncoder must be [N, {', '.join(map(str, self.image_shape))}]; got {tuple(x.shape)}.")
        features = self.context(context, "ConvEncoder", x.shape[:1])
        h = self.first(x)
        for level in self.levels:
            h = level(h, features)
        return self.last(self.end(h).flatten(1))  # type: ignore[no-any-return]


class ConvDecoder(nn.Module):
    """A convolutional network from vectors ``[N, in_features]`` to images ``[N, C, H, W]``: a ``ConvEncoder`` backwards.

    ``ConvDecoder(20, (1, 28, 28))`` has 79 457 parameters, 32 928 of them in the first linear layer.

    Args:
        in_features: Width of the input.
        out_shape: ``(C, H, W)``; ``(P * C, H, W)`` for an element with P parameters.
        width: Channels of the last level, which has the image's resolution.
        multipliers: Channels of each level, as multiples of ``width``, from the image's resolution down, as in the encoder.
        blocks: Blocks a level.
        residual: Use residual blocks with group normalization and SiLU.
        normalization: Whether plain blocks normalize groups of channels.
        activation: Makes the activation modules of plain blocks.
        context_features: Width of the context; 0: the network takes none.

    Raises:
        ValueError: a size is not positive, or ``residual`` comes with another activation than SiLU.

    Example:
        >>> import torch
        >>> from probgen.nn import ConvDecoder
        >>> network = ConvDecoder(20, (1, 28, 28))
        >>> network(torch.zeros(5, 20)).shape, sum(parameter.numel() for parameter in network.parameters())
        (torch.Size([5, 1, 28, 28]), 79457)
    """

    def __init__(
        self,
        in_features: int,
        out_shape: Sequence[int],
        *,
        width: int = 32,
        multipliers: Sequence[int] = (1, 1, 1),
        blocks: int = 1,
        residual: bool = False,
        normalization: bool = False,
        activation: Callable[[], nn.Module] = nn.SiLU,
        context_features: int = 0,
    ) -> None:
        super().__init__()
        self.out_shape, self.grids = image_grids(out_shape, len(multipliers), "out_shape")
        require_sizes(in_features=in_features, width=width, multipliers=multipliers, blocks=blocks)
        features = 4 * width if context_features else 0
        build = ConvBuild(residual=residual, normalization=normalization, activation=activation, features=features)
        channels = [width * multiplier for multiplier in multipliers]
        self.in_features = in_features
        self.context = ContextFeatures(context_features, features)
        self.first = nn.Linear(in_features, channels[-1] * math.prod(self.grids[-1]))
        self.start = build.after()
        self.levels = nn.ModuleList()
        for level in reversed(range(len(channels))):
            out = channels[level]
            parts = build.blocks(channels[min(level + 1, len(channels) - 1)], out, blocks)
            self.levels.append(ConvLevel(parts, Upsample(out) if level else None, build.after()))
        self.end = build.end(channels[0])
        self.last = nn.Conv2d(channels[0], self.out_shape[0], 3, padding=1)

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Map vectors (and a context ``[N, context_features]``) to images ``[N, C, H, W]``.

        Raises:
            ValueError: the vectors have another width; a ``ContextError`` where the context is missing or has.
        """
        if z.dim() != 2 or z.shape[1] != self.in_features:
            raise ValueError(f"the input of ConvDecoder must be [N, {self.in_features}]; got {tuple(z.shape)}.")
        features = self.context(context, "ConvDecoder", z.shape[:1])
        height, width = self.grids[-1]
        flat = self.first(z)
        h = self.start(flat.reshape(z.shape[0], flat.shape[1] // (height * width), height, width))
        for level, grid in zip(self.levels, (*self.grids[-2::-1], self.grids[0]), strict=True):
            h = level(h, features, grid)
        return self.last(self.end(h))  # type: ignore[no-any-return]
