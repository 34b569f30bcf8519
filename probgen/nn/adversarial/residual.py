r"""Residual generator and critic: from WGAN-GP and SNGAN to SAGAN and a small BigGAN, by their options.

.. code-block:: text

    generator    z ── linear, image ──[residual up]── attention ──[residual up]── norm, ReLU, conv ── tanh
    critic       x ──[residual down]── attention ──[residual down]──[residual]── ReLU, sum over pixels, linear

==========  =====================================================================================================
WGAN-GP     critic ``normalization="layer", spectral=False``
SNGAN       generator as it is, critic ``spectral=True``; labels: conditional normalization and a projection critic
SAGAN       both ``spectral=True, attention=32``
BigGAN      as SAGAN, and the generator ``split_noise=True``, ``orthogonal_penalty``, truncated noise
==========  =====================================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn.adversarial._pyramid import pyramid
from probgen.nn.adversarial.condition_vector import ConditionedNetwork, ProjectionOutput, initialized_around_condition
from probgen.nn.adversarial.layers import (
    ConditionalNormalization,
    Normalization,
    OutputRange,
    output_activation,
    uniform_initialized,
)
from probgen.nn.adversarial.minibatch_deviation import MinibatchDeviation
from probgen.nn.adversarial.residual_resizing import ResidualDown, ResidualUp
from probgen.nn.adversarial.scaled_attention import ScaledAttention
from probgen.nn.adversarial.spectral import spectral_normalized
from probgen.nn.attention import differentiable_attention
from probgen.nn.conditioning import Conditioning
from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["ResidualCritic", "ResidualGenerator"]


class ResidualGenerator(ConditionedNetwork):
    """A residual generator of images: noise ``[n, noise_features]`` (and a context) to ``[n, C, H, W]``.

    A context scales and shifts after every normalization. With batch normalization, in training, draws of one batch depend
    on each other; in evaluation they are independent.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise; a multiple of the number of levels plus one for split noise.
        channels: Channels of the level next to the image.
        multipliers: Channels of the levels 1, 2, ... from the image down, as multiples of ``channels``, one halving each;
            None: 1, 2, 4, 8, 8, ... until the coarsest grid is about 4 x 4.
        attention: Height of the grid with self-attention, or None.
        output: ``"tanh"`` for images in [-1, 1], ``"sigmoid"`` for [0, 1], ``"identity"`` for all reals.
        normalization: ``"batch"``, ``"layer"``, ``"instance"`` or ``"none"``.
        spectral: Spectral normalization of every layer.
        split_noise: Give each level its own part of the noise (BigGAN), beside the context.
        conditioning: What turns a context into a vector; None: the network takes no context. The critic needs one of its own.

    Raises:
        ValueError: a size is not positive, a name is unknown, or no grid has the height ``attention``.

    References:
        Miyato, Kataoka, Koyama, Yoshida (2018). Spectral normalization for generative adversarial networks.
        https://arxiv.org/abs/1802.05957

        Zhang, Goodfellow, Metaxas, Odena (2019). Self-attention generative adversarial networks.
        https://arxiv.org/abs/1805.08318

        Brock, Donahue, Simonyan (2019). Large scale GAN training for high fidelity natural image synthesis.
        https://arxiv.org/abs/1809.11096

    Example:
        >>> import torch
        >>> from probgen.nn import ClassConditioning, ResidualGenerator
        >>> generator = ResidualGenerator(
        ...     (3, 32, 32), 64, channels=8, attention=16, split_noise=True, conditioning=ClassConditioning(10)
        ... )
        >>> generator(torch.randn(5, 64), torch.arange(5)).shape
        torch.Size([5, 3, 32, 32])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        noise_features: int = 128,
        *,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        attention: int | None = None,
        output: OutputRange = "tanh",
        normalization: Normalization = "batch",
        spectral: bool = False,
        split_noise: bool = False,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__(conditioning)
        self.image_shape, self.grids, widths = pyramid(image_shape, channels, multipliers)
        self.noise_features, self.parts = noise_features, len(widths) + 1 if split_noise else 1
        require_sizes(noise_features=noise_features)
        if noise_features % self.parts:
            raise ValueError(f"`noise_features` must be a multiple of {self.parts} for split noise; got {noise_features}.")
        self.attention_level = _level(self.grids[:-1], attention)
        features = self.condition.features + (noise_features // self.parts if split_noise else 0)
        self.first = nn.Linear(noise_features // self.parts, widths[-1] * math.prod(self.grids[-1]))
        outs = [widths[0], *widths[:-1]]
        self.blocks = nn.ModuleList(
            ResidualUp(width, out, normalization=normalization, features=features)
            for width, out in zip(widths, outs, strict=True)
        )
        self.attention = None if self.attention_level is None else ScaledAttention(outs[self.attention_level])
        self.last_normalization = ConditionalNormalization(normalization, widths[0])
        self.last = nn.Conv2d(widths[0], self.image_shape[0], 3, padding=1)
        self.output = output_activation(output)
        initialized_around_condition(self, uniform_initialized)
        if spectral:
            spectral_normalized(self)

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Images ``[n, C, H, W]`` of ``noise`` ``[n, noise_features]`` and a context ``[n, *context_shape]``.

        Raises:
            ValueError: the noise has another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("noise", noise, (self.noise_features,), context)
        first, *rest = noise.chunk(self.parts, dim=1)
        flat = self.first(first)
        h = flat.reshape(noise.shape[0], flat.shape[1] // math.prod(self.grids[-1]), *self.grids[-1])
        with differentiable_attention(noise):
            for level in reversed(range(len(self.blocks))):
                given = [part for part in (rest[level] if rest else None, condition) if part is not None]
                h = self.blocks[level](h, self.grids[level], torch.cat(given, dim=1) if given else None)
                if self.attention is not None and level == self.attention_level:
                    h = self.attention(h)
        return self.output(self.last(torch.relu(self.last_normalization(h))))  # type: ignore[no-any-return]


class ResidualCritic(ConditionedNetwork):
    """A residual critic of images: ``[N, C, H, W]`` (and a context) to outputs ``[N, 1]``.

    Without normalization (as it is) or with ``"layer"`` its output for one example does not depend on the others of the batch;
    with ``"batch"``, or a group for the deviation, it does. For packs of m examples give it images of m C channels.

    Args:
        image_shape: ``(C, H, W)``.
        channels: Channels of the first level.
        multipliers: Channels of the levels 1, 2, ... as multiples of ``channels``, one halving each; None: 1, 2, 4, 8, 8, ...
            until the coarsest grid is about 4 x 4.
        attention: Height of the grid with self-attention, or None.
        normalization: ``"none"``, ``"layer"``, ``"instance"`` or ``"batch"``.
        spectral: Spectral normalization of every layer.
        deviation_group: Size of the groups whose standard deviation the critic sees (``MinibatchDeviation``); 0: it does not.
        conditioning: What turns a context into a vector, for a projection critic; None: the network takes no context.

    Raises:
        ValueError: a size is not positive, a name is unknown, or no grid has the height ``attention``.

    References:
        Miyato, Koyama (2018). cGANs with projection discriminator. https://arxiv.org/abs/1802.05637

        Zhang, Goodfellow, Metaxas, Odena (2019). Self-attention generative adversarial networks.
        https://arxiv.org/abs/1805.08318

    Example:
        >>> import torch
        >>> from probgen.nn import ResidualCritic
        >>> ResidualCritic((3, 32, 32), channels=8, attention=16)(torch.zeros(5, 3, 32, 32)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        attention: int | None = None,
        normalization: Normalization = "none",
        spectral: bool = True,
        deviation_group: int = 0,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__(conditioning)
        self.image_shape, self.grids, widths = pyramid(image_shape, channels, multipliers)
        self.attention_level = _level(self.grids[1:], attention)
        sizes = enumerate(zip([self.image_shape[0], *widths[:-1]], widths, strict=True))
        self.blocks = nn.ModuleList(
            ResidualDown(width, out, normalization=normalization, first=level == 0) for level, (width, out) in sizes
        )
        self.attention = None if self.attention_level is None else ScaledAttention(widths[self.attention_level])
        self.deviation = MinibatchDeviation(deviation_group) if deviation_group else None
        self.last = ResidualDown(widths[-1] + bool(deviation_group), widths[-1], normalization=normalization)
        self.output = ProjectionOutput(widths[-1], self.condition.features)
        initialized_around_condition(self, uniform_initialized)
        if spectral:
            spectral_normalized(self)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[N, 1]`` of images ``[N, C, H, W]`` and a context ``[N, *context_shape]``.

        Raises:
            ValueError: the images have another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("x", x, self.image_shape, context)
        h = x
        with differentiable_attention(x):
            for level, block in enumerate(self.blocks):
                h = block(h, self.grids[level + 1])
                if self.attention is not None and level == self.attention_level:
                    h = self.attention(h)
        h = self.last(h if self.deviation is None else self.deviation(h), self.grids[-1])
        return self.output(torch.relu(h).sum((2, 3)), condition)  # type: ignore[no-any-return]


def _level(grids: Sequence[tuple[int, int]], attention: int | None) -> int | None:
    """Which of the grids has the height ``attention``."""
    heights = [height for height, _ in grids]
    if attention is not None and attention not in heights:
        raise ValueError(f"`attention` must be the height of a grid, one of {heights}; got {attention}.")
    return None if attention is None else heights.index(attention)
