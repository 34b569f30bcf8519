r"""Diffusion transformers: an image cut into patches, each a token, through transformer blocks told the noise level.

.. math::

    h \leftarrow h + a_1 \odot \mathrm{attention}\big((1 + s_1) \odot \mathrm{LN}(h) + b_1\big), \qquad
    h \leftarrow h + a_2 \odot \mathrm{MLP}\big((1 + s_2) \odot \mathrm{LN}(h) + b_2\big),

where :math:`(s_1, b_1, a_1, s_2, b_2, a_2) = W e + b` for the features :math:`e` of noise level and context, with
:math:`W = 0,\ b = 0` at the start ("adaLN-Zero": each block starts as the identity). Between the two, tokens attend to the text
if there is one. Positions are cosines and sines of row and column,

.. math::

    p(r, c) = \big[\cos \omega_k r, \sin \omega_k r, \cos \omega_k c, \sin \omega_k c\big]_{k < D/4},
    \qquad \omega_k = 10000^{-4 k / D}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from probgen.nn.attention import MultiHeadAttention, zero_initialized
from probgen.nn.conditioning import Conditioning, Conditions
from probgen.nn.denoising_network import DenoisingNetwork, image_channels, image_shapes, join_image

__all__ = ["DiT", "sinusoidal_positions"]


class DiT(DenoisingNetwork):
    """A transformer of noisy images ``[N, C, H, W]``, a log-SNR ``[N]`` and perhaps a context.

    A class or vector context is added to the features of the noise level, a text is attended to in every block, an image
    is concatenated to the input. The output is 0 before training.

    Args:
        event_shape: ``(C, H, W)``, with H and W multiples of ``patch``.
        patch: Side of a patch in pixels.
        width: Width of the tokens, a multiple of 4.
        depth: How many blocks.
        heads: Attention heads, a divisor of ``width``.
        embedding: Features of the log-SNR, ``"sinusoidal"`` or ``"fourier"``.
        conditioning: What turns a context into features; None: the network takes no context.
        out_channels: Channels of the output, C if None; 2 C for a learned variance.

    Raises:
        ValueError: a size is not positive, or does not divide what it must.

    References:
        Peebles, Xie (2023). Scalable diffusion models with transformers. https://arxiv.org/abs/2212.09748

    Example:
        >>> import torch
        >>> from probgen.nn import DiT
        >>> DiT((1, 8, 8), patch=2, width=64, depth=2, heads=4)(torch.randn(5, 1, 8, 8), torch.zeros(5)).shape
        torch.Size([5, 1, 8, 8])
    """

    positions: Tensor

    def __init__(
        self,
        event_shape: Sequence[int],
        *,
        patch: int = 2,
        width: int = 384,
        depth: int = 12,
        heads: int = 6,
        embedding: Literal["sinusoidal", "fourier"] = "sinusoidal",
        conditioning: Conditioning | None = None,
        out_channels: int | None = None,
    ) -> None:
        shape, out_shape = image_shapes(event_shape, out_channels)
        if min(patch, width, depth) < 1:
            raise ValueError(f"`patch`, `width` and `depth` must be positive; got {patch}, {width} and {depth}.")
        if shape[1] % patch or shape[2] % patch or width % 4:
            raise ValueError(f"`patch` must divide {shape[1:]}, and 4 must divide `width`; got {patch} and {width}.")
        super().__init__(
            shape,
            out_shape,
            embedding_features=width,
            base_features=256,
            embedding=embedding,
            conditioning=conditioning,
        )
        self.patch, self.grid = patch, (shape[1] // patch, shape[2] // patch)
        self.first = nn.Conv2d(shape[0] + image_channels(conditioning), width, patch, stride=patch)
        self.register_buffer("positions", sinusoidal_positions(*self.grid, width), persistent=False)
        memory = 0 if conditioning is None else conditioning.sequence_features
        self.blocks = nn.ModuleList(_Block(width, heads, memory) for _ in range(depth))
        self.normalization = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, patch * patch * out_shape[0])
        zero_initialized(self.modulation)
        zero_initialized(self.last)

    def _predict(self, x: Tensor, features: Tensor, conditions: Conditions) -> Tensor:
        h = self.first(join_image(x, conditions.image)).flatten(2).transpose(1, 2) + self.positions
        for block in self.blocks:
            h = block(h, features, conditions)
        scale, shift = self.modulation(features)[:, None].chunk(2, dim=-1)
        patches = self.last(torch.addcmul(shift, self.normalization(h), 1 + scale))
        pixels = patches.reshape(len(x), *self.grid, self.patch, self.patch, self.out_shape[0])
        return pixels.permute(0, 5, 1, 3, 2, 4).reshape(len(x), *self.out_shape)  # type: ignore[no-any-return]


class _Block(nn.Module):
    """One block with adaptive layer normalization, attention to a memory if there is one, and gates that start at zero."""

    def __init__(self, width: int, heads: int, memory_features: int) -> None:
        super().__init__()
        self.normalization = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 6 * width)
        zero_initialized(self.modulation)
        self.attention = MultiHeadAttention(width, heads)
        self.to_memory = MultiHeadAttention(width, heads, memory_features=memory_features) if memory_features else None
        if self.to_memory is not None:
            self.memory_normalization = nn.LayerNorm(width)
            zero_initialized(self.to_memory.output)
        self.network = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width))

    def forward(self, h: Tensor, features: Tensor, conditions: Conditions) -> Tensor:
        parts = self.modulation(features)[:, None].chunk(6, dim=-1)
        scale, shift, gate, network_scale, network_shift, network_gate = parts
        h = torch.addcmul(h, gate, self.attention(torch.addcmul(shift, self.normalization(h), 1 + scale)))
        if self.to_memory is not None:
            h = h + self.to_memory(self.memory_normalization(h), conditions.sequence, conditions.mask)
        changed = self.network(torch.addcmul(network_shift, self.normalization(h), 1 + network_scale))
        return torch.addcmul(h, network_gate, changed)


def sinusoidal_positions(height: int, width: int, features: int) -> Tensor:
    """Cosines and sines of row and column for each cell of a grid, row by row.

    Args:
        height: Rows of the grid.
        width: Columns of the grid.
        features: How many features, a multiple of 4.

    Returns:
        ``[height * width, features]``.

    Raises:
        ValueError: 4 does not divide ``features``.

    Example:
        >>> from probgen.nn.dit import sinusoidal_positions
        >>> sinusoidal_positions(1, 2, 4)
        tensor([[1.0000, 0.0000, 1.0000, 0.0000],
                [1.0000, 0.0000, 0.5403, 0.8415]])
    """
    if features < 1 or features % 4:
        raise ValueError(f"`features` must be a positive multiple of 4; got {features}.")
    frequency = 10_000 ** (-torch.arange(features // 4) * 4 / features)
    row, column = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    angles = [position.reshape(-1, 1) * frequency for position in (row, column)]
    return torch.cat([part for angle in angles for part in (angle.cos(), angle.sin())], dim=1)
