r"""The U-Net of diffusion models: residual blocks on ever coarser grids and back, joined level by level.

.. code-block:: text

    x ── conv ──[blocks]──┬────────────────────────────(join)──[blocks]── norm, conv ── output
                          down ──[blocks]──┬────(join)──[blocks]── up
                                           down ── middle ── up

Level :math:`l` has a grid of :math:`\lceil H / 2^l \rceil \times \lceil W / 2^l \rceil` pixels and ``width * multipliers[l]``
channels. Every output of the way down (the first convolution's, each block's, each halving's) is concatenated to the input
of one block of the way up, hence one block more a level there. The middle has attention always; other levels where asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.attention import SpatialAttention, group_normalization, zero_initialized
from probgen.nn.conditioning import Conditioning, Conditions
from probgen.nn.denoising_network import DenoisingNetwork, image_channels, image_shapes, join_image
from probgen.nn.residual_block import Downsample, ResidualBlock, Upsample

__all__ = ["UNet"]


class UNet(DenoisingNetwork):
    """A convolutional network of noisy images ``[N, C, H, W]``, a log-SNR ``[N]`` and perhaps a context; any H and W.

    A class or vector context is added to the features of the noise level, a text is attended to wherever there is attention,
    an image is concatenated to the input. The last convolution starts at zero, so the output is 0 before training.

    ``UNet((3, 32, 32), normalization="additive", heads=1, dropout=0.1)`` is the network of DDPM on CIFAR-10, with its 35.7
    million parameters; the default ``"adaptive"`` is that of improved DDPM.

    Args:
        event_shape: ``(C, H, W)``.
        width: Channels of the first level; the features of noise level and context are four times as wide.
        multipliers: Channels of each level, as multiples of ``width``.
        blocks: Residual blocks a level, on the way down.
        attention: Levels with self-attention after each block; 0 is the input's own resolution.
        heads: Attention heads, a divisor of the channels of these levels.
        dropout: Probability with which a residual block drops a value in training.
        normalization: How noise level and context enter a residual block: ``"adaptive"`` or ``"additive"``.
        embedding: Features of the log-SNR, ``"sinusoidal"`` or ``"fourier"``.
        conditioning: What turns a context into features; None: the network takes no context.
        out_channels: Channels of the output, C if None; 2 C for a learned variance.

    Raises:
        ValueError: a size is not positive, or ``attention`` names a level that does not exist.

    References:
        Ronneberger, Fischer, Brox (2015). U-Net. https://arxiv.org/abs/1505.04597
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239
        Nichol, Dhariwal (2021). Improved denoising diffusion probabilistic models. https://arxiv.org/abs/2102.09672

    Example:
        >>> import torch
        >>> from probgen.nn import ClassConditioning, UNet
        >>> network = UNet((1, 28, 28), width=16, multipliers=(1, 2), blocks=1, conditioning=ClassConditioning(10))
        >>> network(torch.randn(5, 1, 28, 28), torch.zeros(5), torch.arange(5)).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2, 2),
        blocks: int = 2,
        attention: Sequence[int] = (1,),
        heads: int = 4,
        dropout: float = 0.0,
        normalization: Literal["adaptive", "additive"] = "adaptive",
        embedding: Literal["sinusoidal", "fourier"] = "sinusoidal",
        conditioning: Conditioning | None = None,
        out_channels: int | None = None,
    ) -> None:
        shape, out_shape = image_shapes(event_shape, out_channels)
        if min(width, blocks, len(multipliers), *multipliers) < 1:
            raise ValueError(
                f"`width`, `multipliers` and `blocks` must be positive; got {width}, {tuple(multipliers)} and {blocks}."
            )
        if not set(attention) <= set(range(len(multipliers))):
            raise ValueError(f"`attention` must name levels 0, ..., {len(multipliers) - 1}; got {tuple(attention)}.")
        super().__init__(
            shape,
            out_shape,
            embedding_features=4 * width,
            base_features=max(4, width // 2 * 2),
            embedding=embedding,
            conditioning=conditioning,
        )
        memory = 0 if conditioning is None else conditioning.sequence_features
        build = _Build(4 * width, normalization, dropout, heads, memory)
        channels = [width * multiplier for multiplier in multipliers]
        self.first = nn.Conv2d(shape[0] + image_channels(conditioning), width, 3, padding=1)
        self.down, skips = build.way_down(width, channels, blocks, attention)
        self.middle = nn.ModuleList(build.stage(channels[-1], channels[-1], attention=first) for first in (True, False))
        self.up = build.way_up(channels, skips, blocks, attention)
        self.last_normalization = group_normalization(channels[0])
        self.last = nn.Conv2d(channels[0], out_shape[0], 3, padding=1)
        zero_initialized(self.last)

    def _predict(self, x: Tensor, features: Tensor, conditions: Conditions) -> Tensor:
        h = self.first(join_image(x, conditions.image))
        skips = [h]
        for part in self.down:
            h = part(h) if isinstance(part, Downsample) else part(h, features, conditions)
            skips.append(h)
        for part in self.middle:
            h = part(h, features, conditions)
        for part in self.up:
            if isinstance(part, Upsample):
                h = part(h, skips[-1].shape[2:])
            else:
                h = part(torch.cat([h, skips.pop()], dim=1), features, conditions)
        return self.last(F.silu(self.last_normalization(h)))  # type: ignore[no-any-return]


class _Stage(nn.Module):
    """A residual block, with attention after it or without."""

    def __init__(self, block: ResidualBlock, attention: SpatialAttention | None) -> None:
        super().__init__()
        self.block, self.attention = block, attention

    def forward(self, x: Tensor, features: Tensor, conditions: Conditions) -> Tensor:
        h: Tensor = self.block(x, features)
        return h if self.attention is None else self.attention(h, conditions.sequence, conditions.mask)


class _Build(NamedTuple):
    """What all stages of one network have in common, and how they are put together."""

    features: int
    normalization: Literal["adaptive", "additive"]
    dropout: float
    heads: int
    memory_features: int

    def stage(self, channels: int, out_channels: int, *, attention: bool) -> _Stage:
        """One stage."""
        block = ResidualBlock(
            channels, out_channels, features=self.features, normalization=self.normalization, dropout=self.dropout
        )
        attend = SpatialAttention(out_channels, self.heads, memory_features=self.memory_features) if attention else None
        return _Stage(block, attend)

    def way_down(
        self, width: int, channels: Sequence[int], blocks: int, attention: Sequence[int]
    ) -> tuple[nn.ModuleList, list[int]]:
        """The stages and halvings on the way down, and the channels of what each of them leaves for the way up."""
        parts, skips = nn.ModuleList(), [width]
        for level, out in enumerate(channels):
            for _ in range(blocks):
                parts.append(self.stage(skips[-1], out, attention=level in attention))
                skips.append(out)
            if level + 1 < len(channels):
                parts.append(Downsample(out))
                skips.append(out)
        return parts, skips

    def way_up(self, channels: Sequence[int], skips: Sequence[int], blocks: int, attention: Sequence[int]) -> nn.ModuleList:
        """The stages and doublings on the way up."""
        parts, left, current = nn.ModuleList(), list(skips), channels[-1]
        for level in reversed(range(len(channels))):
            for _ in range(blocks + 1):
                parts.append(self.stage(current + left.pop(), channels[level], attention=level in attention))
                current = channels[level]
            if level:
                parts.append(Upsample(current))
        return parts
