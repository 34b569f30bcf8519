r"""Convolutional networks from images to vectors and back: the encoders and decoders of autoencoders.

.. code-block:: text

    encoder    x ── conv ──[blocks]── down ──[blocks]── down ──[blocks]── flat, linear ── output
    decoder    z ── linear, image ──[blocks]── up ──[blocks]── up ──[blocks]── conv ── output

Level :math:`l` has a grid of :math:`\lceil H / 2^l \rceil \times \lceil W / 2^l \rceil` pixels and ``width * multipliers[l]``
channels, so any H and W will do, odd ones too. The way down halves by convolutions of stride 2, the way up repeats pixels and
convolves. A block is a convolution and an activation, or a residual block. A context :math:`c` enters every block as scale and
shift a channel, :math:`h \leftarrow (1 + W_1 e) \odot h + W_2 e` with :math:`e = \mathrm{SiLU}(W c + b)` (feature-wise linear modulation:
Perez et al., 2018, https://arxiv.org/abs/1709.07871).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.attention import group_normalization
from probgen.nn.residual_block import Downsample, ResidualBlock, Upsample

__all__ = ["ConvBlock", "ConvDecoder", "ConvEncoder"]


class ConvBlock(nn.Module):
    """A convolution, perhaps group normalization, perhaps a context, an activation: ``[N, C, H, W]`` to ``[N, C', H, W]``.

    Args:
        channels: Channels of the input.
        out_channels: Channels of the output.
        features: Width of the features of the context; 0 for a block without.
        normalization: Whether to normalize groups of channels.
        activation: Makes the activation module.

    Example:
        >>> import torch
        >>> from probgen.nn import ConvBlock
        >>> ConvBlock(3, 8, features=4)(torch.zeros(2, 3, 5, 7), torch.zeros(2, 4)).shape
        torch.Size([2, 8, 5, 7])
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        *,
        features: int = 0,
        normalization: bool = False,
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out_channels, 3, padding=1)
        self.normalization = group_normalization(out_channels) if normalization else None
        self.features = nn.Linear(features, 2 * out_channels) if features else None
        self.activation = activation()

    def forward(self, x: Tensor, features: Tensor | None = None) -> Tensor:
        """Transform ``x`` ``[N, C, H, W]`` given ``features`` ``[N, F]``, to which the activation has been applied."""
        h = self.convolution(x)
        if self.normalization is not None:
            h = self.normalization(h)
        if self.features is not None and features is not None:
            scale, shift = self.features(features)[:, :, None, None].chunk(2, dim=1)
            h = torch.addcmul(shift, h, 1 + scale)
        return self.activation(h)  # type: ignore[no-any-return]


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
        self.image_shape, grids = _image_and_grids(image_shape, len(multipliers))
        _require_sizes(out_features=out_features, width=width, multipliers=multipliers, blocks=blocks)
        build = _Build(residual, normalization, activation, 4 * width if context_features else 0)
        channels = [width * multiplier for multiplier in multipliers]
        self.context = _ContextFeatures(context_features, 4 * width)
        self.first = nn.Conv2d(self.image_shape[0], channels[0], 3, padding=1)
        self.levels = nn.ModuleList()
        for level, out in enumerate(channels):
            parts = build.blocks(channels[max(level - 1, 0)], out, blocks)
            self.levels.append(_Level(parts, Downsample(out) if level + 1 < len(channels) else None, build.after()))
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
        self.out_shape, self.grids = _image_and_grids(out_shape, len(multipliers))
        _require_sizes(in_features=in_features, width=width, multipliers=multipliers, blocks=blocks)
        build = _Build(residual, normalization, activation, 4 * width if context_features else 0)
        channels = [width * multiplier for multiplier in multipliers]
        self.in_features = in_features
        self.context = _ContextFeatures(context_features, 4 * width)
        self.first = nn.Linear(in_features, channels[-1] * math.prod(self.grids[-1]))
        self.start = build.after()
        self.levels = nn.ModuleList()
        for level in reversed(range(len(channels))):
            out = channels[level]
            parts = build.blocks(channels[min(level + 1, len(channels) - 1)], out, blocks)
            self.levels.append(_Level(parts, Upsample(out) if level else None, build.after()))
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


class _Level(nn.Module):
    """The blocks of one resolution, and the way to the next."""

    def __init__(self, blocks: nn.ModuleList, resize: nn.Module | None, after: nn.Module) -> None:
        super().__init__()
        self.blocks, self.resize, self.after = blocks, resize, after

    def forward(self, x: Tensor, features: Tensor | None, *grid: tuple[int, int]) -> Tensor:
        for block in self.blocks:
            x = block(x, features)
        return x if self.resize is None else self.after(self.resize(x, *grid))  # type: ignore[no-any-return]


class _ContextFeatures(nn.Module):
    """The features of the context, None for a network without."""

    def __init__(self, context_features: int, features: int) -> None:
        super().__init__()
        if context_features < 0:
            raise ValueError(f"`context_features` must not be negative; got {context_features}.")
        self.shape = (context_features,) if context_features else None
        self.linear = nn.Linear(context_features, features) if context_features else None

    def forward(self, context: Tensor | None, owner: str, batch: Sequence[int]) -> Tensor | None:
        require_context(owner, context, self.shape, batch)
        return None if self.linear is None else F.silu(self.linear(context))


class _Build(NamedTuple):
    """What the blocks of one network have in common."""

    residual: bool
    normalization: bool
    activation: Callable[[], nn.Module]
    features: int

    def blocks(self, channels: int, out_channels: int, count: int) -> nn.ModuleList:
        """The blocks of one level."""
        return nn.ModuleList(self._block(channels if not index else out_channels, out_channels) for index in range(count))

    def _block(self, channels: int, out_channels: int) -> nn.Module:
        if self.residual:
            return ResidualBlock(channels, out_channels, features=self.features)
        return ConvBlock(
            channels,
            out_channels,
            features=self.features,
            normalization=self.normalization,
            activation=self.activation,
        )

    def after(self) -> nn.Module:
        """What follows a change of resolution: residual blocks begin with an activation of their own."""
        return nn.Identity() if self.residual else self.activation()

    def end(self, channels: int) -> nn.Module:
        """What stands before the last layer."""
        return nn.Sequential(group_normalization(channels), nn.SiLU()) if self.residual else nn.Identity()


def _image_and_grids(shape: Sequence[int], levels: int) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """The shape of an image, and of the grid of each level."""
    if len(shape) != 3 or min(shape) < 1:
        raise ValueError(f"the shape of an image must be (C, H, W), all positive; got {tuple(shape)}.")
    _, height, width = shape
    return tuple(shape), [(math.ceil(height / 2**level), math.ceil(width / 2**level)) for level in range(levels)]


def _require_sizes(**sizes: int | Sequence[int]) -> None:
    for name, size in sizes.items():
        values = [size] if isinstance(size, int) else list(size)
        if not values or min(values) < 1:
            raise ValueError(f"`{name}` must be positive; got {size}.")
