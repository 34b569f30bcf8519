r"""Generator and critic of progressive growing.

.. code-block:: text

    generator    z ── pixel norm ── linear, conv ──[up, conv, conv]── ... ──[up, conv, conv]── 1 x 1 conv ── image
                                                 every stage has a 1 x 1 conv to images: the last two are mixed
    critic       image ── 1 x 1 conv ──[conv, conv, down]── ... ──[conv, conv, down]── deviation, conv, linear ── output

All layers have equalized learning rates and LeakyReLU 0.2; the generator normalizes every pixel after each of its convolutions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn.adversarial._pyramid import pyramid
from probgen.nn.adversarial.condition_vector import ProjectionOutput
from probgen.nn.adversarial.equalized import EqualizedConv2d, EqualizedLinear, PixelNormalization
from probgen.nn.adversarial.growing import GrowingNetwork
from probgen.nn.adversarial.layers import OutputRange, output_activation
from probgen.nn.adversarial.minibatch_deviation import MinibatchDeviation
from probgen.nn.adversarial.residual_resizing import averaged_to, repeated_to
from probgen.nn.conditioning import Conditioning
from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["ProgressiveCritic", "ProgressiveGenerator"]


class ProgressiveGenerator(GrowingNetwork):
    """A generator that grows: noise ``[n, noise_features]`` (and a context) to ``[n, C, H, W]``, pixels repeated where needed.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise; it is normalized, so only its direction counts.
        channels: Channels of the two finest stages.
        multipliers: Channels of the stages, as multiples of ``channels``, from the image's half resolution down, one halving
            each; None: 1, 2, 4, 8, 8, ... until the coarsest grid is about 4 x 4.
        output: ``"identity"`` (as in the paper), ``"tanh"`` for images in [-1, 1], ``"sigmoid"`` for [0, 1].
        conditioning: What turns a context into a vector; None: the network takes no context. The critic needs one of its own.

    Raises:
        ValueError: a size is not positive, or a name is unknown.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs for improved quality, stability, and variation.
        https://arxiv.org/abs/1710.10196

    Example:
        >>> import torch
        >>> from probgen.nn import ProgressiveGenerator
        >>> generator, z = ProgressiveGenerator((1, 16, 16), 8, channels=8), torch.randn(5, 8)
        >>> generator.grow(0)
        >>> coarse = generator(z)
        >>> generator.grow(1, fade=0.0)
        >>> coarse.shape, torch.equal(generator(z), coarse)  # a new level disturbs nothing
        (torch.Size([5, 1, 16, 16]), True)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        noise_features: int = 128,
        *,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        output: OutputRange = "identity",
        conditioning: Conditioning | None = None,
    ) -> None:
        shape, grids, widths = pyramid(image_shape, channels, multipliers)
        super().__init__(grids, conditioning)
        require_sizes(noise_features=noise_features)
        self.image_shape, self.noise_features = shape, noise_features
        by_stage = [*widths[::-1], widths[0]]
        flat = by_stage[0] * math.prod(self.grids[0])
        self.first = EqualizedLinear(noise_features + self.condition.features, flat, gain=math.sqrt(2) / 4)
        self.start = nn.Sequential(nn.LeakyReLU(0.2), PixelNormalization(), *_painted(by_stage[0], by_stage[0]))
        self.blocks = nn.ModuleList(
            nn.Sequential(*_painted(width, out), *_painted(out, out)) for width, out in itertools.pairwise(by_stage)
        )
        self.to_image = nn.ModuleList(EqualizedConv2d(width, shape[0], 1, gain=1.0) for width in by_stage)
        self.normalization = PixelNormalization()
        self.output = output_activation(output)

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Images ``[n, C, H, W]`` of ``noise`` ``[n, noise_features]`` and a context ``[n, *context_shape]``.

        Raises:
            ValueError: the noise has another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("noise", noise, (self.noise_features,), context)
        z = self.normalization(noise if condition is None else torch.cat([noise, condition], dim=1))
        flat = self.first(z)
        h = self.start(flat.reshape(noise.shape[0], flat.shape[1] // math.prod(self.grids[0]), *self.grids[0]))
        before = h
        for stage in range(1, self.stage + 1):
            before, h = h, self.blocks[stage - 1](repeated_to(h, self.grids[stage]))
        image = self.to_image[self.stage](h)
        if self.stage:
            image = self._faded(repeated_to(self.to_image[self.stage - 1](before), self.resolution), image)
        return repeated_to(self.output(image), self.grids[-1])


class ProgressiveCritic(GrowingNetwork):
    """A critic that grows with its generator: ``[N, C, H, W]`` (and a context) to outputs ``[N, 1]``.

    It averages images down to the grid of its stage first. With a group for the deviation its output for one example depends on
    the others of its group.

    Args:
        image_shape: ``(C, H, W)``.
        channels: Channels of the two finest stages.
        multipliers: Channels of the stages, as in the generator.
        deviation_group: Size of the groups whose standard deviation the critic sees; 0: it does not.
        conditioning: What turns a context into a vector, for a projection critic; None: the network takes no context.

    Raises:
        ValueError: a size is not positive.

    References:
        Karras, Aila, Laine, Lehtinen (2018). Progressive growing of GANs for improved quality, stability, and variation.
        https://arxiv.org/abs/1710.10196

    Example:
        >>> import torch
        >>> from probgen.nn import ProgressiveCritic
        >>> critic = ProgressiveCritic((1, 16, 16), channels=8)
        >>> critic.grow(1, fade=0.3)
        >>> critic(torch.zeros(5, 1, 16, 16)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        deviation_group: int = 4,
        conditioning: Conditioning | None = None,
    ) -> None:
        shape, grids, widths = pyramid(image_shape, channels, multipliers)
        super().__init__(grids, conditioning)
        self.image_shape = shape
        by_stage = [*widths[::-1], widths[0]]
        self.from_image = nn.ModuleList(nn.Sequential(*_judged(shape[0], width, 1)) for width in by_stage)
        self.blocks = nn.ModuleList(
            nn.Sequential(*_judged(width, width), *_judged(width, out))
            for width, out in zip(by_stage[1:], by_stage[:-1], strict=True)
        )
        self.deviation = MinibatchDeviation(deviation_group) if deviation_group else None
        width = by_stage[0]
        self.last = nn.Sequential(*_judged(width + bool(deviation_group), width), nn.Flatten())
        self.hidden = EqualizedLinear(width * math.prod(self.grids[0]), width, gain=math.sqrt(2))
        self.output = ProjectionOutput(width, self.condition.features, linear=EqualizedLinear)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[N, 1]`` of images ``[N, C, H, W]`` and a context ``[N, *context_shape]``.

        Raises:
            ValueError: the images have another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("x", x, self.image_shape, context)
        seen = averaged_to(x, self.resolution)
        h = self.from_image[self.stage](seen)
        for stage in range(self.stage, 0, -1):
            h = averaged_to(self.blocks[stage - 1](h), self.grids[stage - 1])
            if stage == self.stage:
                before = averaged_to(x, self.grids[stage - 1])
                h = self._faded(self.from_image[stage - 1](before), h)
        h = self.last(h if self.deviation is None else self.deviation(h))
        return self.output(nn.functional.leaky_relu(self.hidden(h), 0.2), condition)  # type: ignore[no-any-return]


def _painted(channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    """A convolution of the generator, and what follows it."""
    return EqualizedConv2d(channels, out_channels), nn.LeakyReLU(0.2), PixelNormalization()


def _judged(channels: int, out_channels: int, kernel: int = 3) -> tuple[nn.Module, ...]:
    """A convolution of the critic, and what follows it."""
    return EqualizedConv2d(channels, out_channels, kernel), nn.LeakyReLU(0.2)
