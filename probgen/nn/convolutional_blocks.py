r"""The blocks of convolutional networks, and how the networks put them together, level by level.

A context :math:`c` enters every block as scale and shift a channel,

.. math:: h \leftarrow (1 + W_1 e) \odot h + W_2 e, \qquad e = \mathrm{SiLU}(W c + b)

(feature-wise linear modulation: Perez et al., 2018, https://arxiv.org/abs/1709.07871).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.attention import group_normalization
from probgen.nn.image_shape import image_sizes
from probgen.nn.residual_block import ResidualBlock

__all__ = ["ContextFeatures", "ConvBlock", "ConvBuild", "ConvLevel", "image_grids", "require_sizes"]


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


class ConvLevel(nn.Module):
    """The blocks of one resolution, and the way to the next.

    Args:
        blocks: Modules of an image and the features of the context.
        resize: A change of resolution, or None.
        after: What follows it.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from probgen.nn import ConvBlock, Downsample
        >>> from probgen.nn.convolutional_blocks import ConvLevel
        >>> ConvLevel(nn.ModuleList([ConvBlock(1, 4)]), Downsample(4), nn.SiLU())(torch.zeros(2, 1, 7, 8), None).shape
        torch.Size([2, 4, 4, 4])
    """

    def __init__(self, blocks: nn.ModuleList, resize: nn.Module | None, after: nn.Module) -> None:
        super().__init__()
        self.blocks, self.resize, self.after = blocks, resize, after

    def forward(self, x: Tensor, features: Tensor | None, *grid: tuple[int, int]) -> Tensor:
        """Blocks, then the change of resolution, to ``grid`` if it is given."""
        for block in self.blocks:
            x = block(x, features)
        return x if self.resize is None else self.after(self.resize(x, *grid))


class ContextFeatures(nn.Module):
    """The features of the context, with the activation applied; None for a network without.

    Args:
        context_features: Width of the context, 0 for none.
        features: Width of its features.

    Raises:
        ValueError: the width is negative.

    Example:
        >>> import torch
        >>> from probgen.nn.convolutional_blocks import ContextFeatures
        >>> ContextFeatures(3, 8)(torch.zeros(3), "a network", (5,)).shape
        torch.Size([5, 8])
    """

    def __init__(self, context_features: int, features: int) -> None:
        super().__init__()
        if context_features < 0:
            raise ValueError(f"`context_features` must not be negative; got {context_features}.")
        self.shape = (context_features,) if context_features else None
        self.linear = nn.Linear(context_features, features) if context_features else None

    def forward(self, context: Tensor | None, owner: str, batch: Sequence[int]) -> Tensor | None:
        """Features ``[*batch, F]`` of a context whose batch broadcasts; a missing or mis-sized one is an error."""
        require_context(owner, context, self.shape, batch)
        if self.linear is None or context is None:
            return None
        return F.silu(self.linear(context.expand(*batch, context.shape[-1])))


class ConvBuild:
    """What the blocks of one network have in common.

    Args:
        residual: Whether blocks are residual, with group normalization and SiLU.
        normalization: Whether plain blocks normalize groups of channels.
        activation: Makes the activation modules of plain blocks.
        features: Width of the features of the context, 0 without one.

    Raises:
        ValueError: residual blocks are to have another activation than SiLU.

    Example:
        >>> from torch import nn
        >>> from probgen.nn.convolutional_blocks import ConvBuild
        >>> len(ConvBuild(residual=False, normalization=False, activation=nn.ReLU, features=0).blocks(8, 16, 2))
        2
    """

    def __init__(self, *, residual: bool, normalization: bool, activation: Callable[[], nn.Module], features: int) -> None:
        if residual and activation is not nn.SiLU:
            raise ValueError("`activation` is for plain blocks; residual ones have SiLU.")
        self.residual, self.normalization, self.activation, self.features = residual, normalization, activation, features

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


def image_grids(shape: Sequence[int], levels: int, name: str = "image_shape") -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """The shape of an image, and of the grid of each level.

    Args:
        shape: ``(C, H, W)``.
        levels: How many.
        name: What the shape is called where the user gave it.

    Raises:
        ValueError: it is not the shape of an image.

    Example:
        >>> from probgen.nn.convolutional_blocks import image_grids
        >>> image_grids((1, 28, 9), 3)
        ((1, 28, 9), [(28, 9), (14, 5), (7, 3)])
    """
    channels, height, width = image_sizes(shape, name=name)
    return (channels, height, width), [(math.ceil(height / 2**level), math.ceil(width / 2**level)) for level in range(levels)]


def require_sizes(**sizes: int | Sequence[int]) -> None:
    """Check that sizes are positive.

    Args:
        **sizes: Numbers, or sequences of them, by the name of the argument.

    Raises:
        ValueError: one is not.

    Example:
        >>> from probgen.nn.convolutional_blocks import require_sizes
        >>> require_sizes(width=8, multipliers=(1, 0))
        Traceback (most recent call last):
        ...
        ValueError: `multipliers` must be positive; got (1, 0).
    """
    for name, size in sizes.items():
        values = [size] if isinstance(size, int) else list(size)
        if not values or min(values) < 1:
            raise ValueError(f"`{name}` must be positive; got {size}.")
