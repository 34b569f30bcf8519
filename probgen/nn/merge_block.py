"""A residual block of two images, and the step from one state of a top-down pass to the next."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn.residual_block import ResidualBlock, Upsample

__all__ = ["MergeBlock", "TopDownUpdate"]


class MergeBlock(nn.Module):
    """Two images of one size through a residual block, channels side by side: ``[N, A + B, H, W]`` to ``[N, C, H, W]``.

    Args:
        channels: Channels A of the first image.
        other_channels: Channels B of the second.
        out_channels: Channels C of the output.
        dropout: Probability with which a value is dropped in training.

    Example:
        >>> import torch
        >>> from probgen.nn import MergeBlock
        >>> MergeBlock(8, 2, 4)(torch.zeros(3, 8, 5, 5), torch.zeros(3, 2, 5, 5)).shape
        torch.Size([3, 4, 5, 5])
    """

    def __init__(self, channels: int, other_channels: int, out_channels: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.block = ResidualBlock(channels + other_channels, out_channels, dropout=dropout)

    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        """Merge two images."""
        merged: Tensor = self.block(torch.cat([x, other], 1))
        return merged


class TopDownUpdate(nn.Module):
    r"""The next state of a top-down pass, :math:`h + f(h, z)`, at the same or at a higher resolution.

    Args:
        channels: Channels of the state.
        latent_channels: Channels of the latent.
        sizes: Sizes ``(H, W)`` through which the state is then brought up, each up to twice the one before; () for none.
        dropout: Probability with which a value is dropped in training.

    References:
        Child (2021). Very deep VAEs generalize autoregressive models. https://arxiv.org/abs/2011.10650

    Example:
        >>> import torch
        >>> from probgen.nn import TopDownUpdate
        >>> TopDownUpdate(8, 2, sizes=[(7, 7)])(torch.zeros(3, 8, 4, 4), torch.zeros(3, 2, 4, 4)).shape
        torch.Size([3, 8, 7, 7])
    """

    def __init__(
        self, channels: int, latent_channels: int, *, sizes: Sequence[Sequence[int]] = (), dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.merge = MergeBlock(channels, latent_channels, channels, dropout=dropout)
        self.sizes = [tuple(size) for size in sizes]
        self.upsamples = nn.ModuleList(Upsample(channels) for _ in self.sizes)

    def forward(self, state: Tensor, z: Tensor) -> Tensor:
        """The next state for a state ``[N, C, H, W]`` and a latent ``[N, K, H, W]``."""
        state = state + self.merge(state, z)
        for upsample, size in zip(self.upsamples, self.sizes, strict=True):
            state = upsample(state, size)
        return state
