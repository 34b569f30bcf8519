r"""A generator of images given images that has noise: the U-Net of pix2pix.

.. code-block:: text

    context ── down ──┬────────────────────(join)── up ── tanh
                      down ──┬─────(join)── up
                             down ── up
                              +z      scale, shift(z)

Where the output has to stand pixel by pixel on the input, the skips carry what they share. The noise is an argument, not
dropout: added at the coarsest grid and as scale and shift of every level on the way up, so :math:`p(y \mid c)` is an implicit
law like any other, with as many draws for a context as one likes, independent and repeatable.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.adversarial._pyramid import pyramid, require_events
from probgen.nn.adversarial.layers import (
    ConditionalNormalization,
    Normalization,
    OutputRange,
    cancels_bias,
    normal_initialized,
    output_activation,
)
from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["ImageToImageUNet"]


class ImageToImageUNet(nn.Module):
    """A generator of images given images: noise ``[n, noise_features]``, context ``[n, C', H, W]``, to ``[n, C, H, W]``.

    With instance normalization (the paper's batch normalization at a batch of one) the draws of a batch are independent.

    Args:
        image_shape: ``(C, H, W)``.
        context_channels: Channels C' of the context; None: as many as the image has.
        noise_features: Width of the noise.
        channels: Channels of the first level.
        multipliers: Channels of the levels 1, 2, ... as multiples of ``channels``, one halving each; None: 1, 2, 4, 8, 8, ...
            until the coarsest grid is about 4 x 4.
        output: ``"tanh"`` for images in [-1, 1], ``"sigmoid"`` for [0, 1], ``"identity"`` for all reals.
        normalization: ``"instance"``, ``"batch"``, ``"layer"`` or ``"none"``.

    Raises:
        ValueError: a size is not positive, or a name is unknown.

    References:
        Isola, Zhu, Zhou, Efros (2017). Image-to-image translation with conditional adversarial networks.
        https://arxiv.org/abs/1611.07004

        Zhu et al. (2017). Toward multimodal image-to-image translation. https://arxiv.org/abs/1711.11586

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitLaw, standard_normal
        >>> from probgen.nn import ImageToImageUNet
        >>> generator = ImageToImageUNet((3, 28, 28), context_channels=1, noise_features=8, channels=8)
        >>> law = ImplicitLaw(standard_normal(8), generator, (3, 28, 28), context_shape=generator.context_shape)
        >>> law(torch.zeros(5, 1, 28, 28)).sample((2,)).shape
        torch.Size([2, 5, 3, 28, 28])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        context_channels: int | None = None,
        noise_features: int = 16,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        output: OutputRange = "tanh",
        normalization: Normalization = "instance",
    ) -> None:
        super().__init__()
        self.image_shape, self.grids, widths = pyramid(image_shape, channels, multipliers)
        context_channels = self.image_shape[0] if context_channels is None else context_channels
        require_sizes(context_channels=context_channels, noise_features=noise_features)
        self.noise_features, self.context_shape = noise_features, (context_channels, *self.image_shape[1:])
        bias, levels = not cancels_bias(normalization), len(widths)
        self.downs = nn.ModuleList(
            nn.Conv2d(width, out, 4, 2, 1, bias=bias or level in (0, levels - 1))
            for level, (width, out) in enumerate(zip([context_channels, *widths[:-1]], widths, strict=True))
        )
        self.down_normalizations = nn.ModuleList(
            ConditionalNormalization(normalization if 0 < level < levels - 1 else "none", width)
            for level, width in enumerate(widths)
        )
        self.noise = nn.Linear(noise_features, widths[-1] * math.prod(self.grids[-1]))
        joined = [2 * width for width in widths[:-1]] + [widths[-1]]
        outs = [self.image_shape[0], *widths[:-1]]
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(width, out, 4, 2, 1, bias=bias or level == 0)
            for level, (width, out) in enumerate(zip(joined, outs, strict=True))
        )
        self.up_normalizations = nn.ModuleList(
            ConditionalNormalization(normalization, width, noise_features) for width in widths[:-1]
        )
        self.output = output_activation(output)
        normal_initialized(self)

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Images ``[n, C, H, W]`` of ``noise`` ``[n, noise_features]`` and images ``[n, C', H, W]``.

        Raises:
            ValueError: the noise has another shape; a ``ContextError`` where the context is missing or has.
        """
        require_events("ImageToImageUNet", "noise", noise, (self.noise_features,))
        require_context("ImageToImageUNet", context, self.context_shape, noise.shape[:1])
        h = torch.zeros(()) if context is None else context.expand(noise.shape[0], *self.context_shape)
        skips = []
        for level, (down, normalization) in enumerate(zip(self.downs, self.down_normalizations, strict=True)):
            h = normalization(down(nn.functional.leaky_relu(h, 0.2) if level else h))
            skips.append(h)
        h = h + self.noise(noise).reshape(h.shape)
        for level in reversed(range(len(self.ups))):
            h = self.ups[level](torch.relu(h), output_size=self.grids[level])
            if level:
                h = torch.cat([self.up_normalizations[level - 1](h, noise), skips[level - 1]], dim=1)
        return self.output(h)  # type: ignore[no-any-return]
