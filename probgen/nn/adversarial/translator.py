r"""A translator of images: the residual network of CycleGAN.

.. code-block:: text

    image ── conv 7 x 7 ── down ── down ──[residual] x 6 ── up ── up ── conv 7 x 7 ── tanh

Instance normalization throughout, borders by reflection. It changes textures and colors where the U-Net's skips would copy
them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.nn.adversarial._pyramid import require_events
from probgen.nn.adversarial.layers import ConditionalNormalization, OutputRange, normal_initialized, output_activation
from probgen.nn.convolutional_blocks import image_grids, require_sizes

__all__ = ["ResidualTranslator"]


class ResidualTranslator(nn.Module):
    """From images ``[n, C', H, W]`` to images ``[n, C, H, W]``: a function, or with noise a generator.

    Without noise it is called with an image alone, or (as ``ImplicitLaw`` does) with noise of no features and an image; with
    noise it is called with both. Noise scales and shifts after the normalizations of the residual blocks. The images of a
    batch do not see each other.

    Args:
        image_shape: ``(C, H, W)`` of the output; sides of at least 4.
        context_channels: Channels C' of the input; None: as many as the output has.
        noise_features: Width of the noise; 0: there is none.
        channels: Channels of the first level; each halving doubles them.
        halvings: How often the resolution is halved.
        blocks: How many residual blocks; 6 for 128 x 128 images in the paper, 9 for larger ones.
        output: ``"tanh"`` for images in [-1, 1], ``"sigmoid"`` for [0, 1], ``"identity"`` for all reals.

    Raises:
        ValueError: a size is not positive, images are too small, or a name is unknown.

    References:
        Zhu, Park, Isola, Efros (2017). Unpaired image-to-image translation using cycle-consistent adversarial networks.
        https://arxiv.org/abs/1703.10593

        Johnson, Alahi, Fei-Fei (2016). Perceptual losses for real-time style transfer. https://arxiv.org/abs/1603.08155

    Example:
        >>> import torch
        >>> from probgen.nn import ResidualTranslator
        >>> ResidualTranslator((3, 28, 28), context_channels=1, channels=8, blocks=2)(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 3, 28, 28])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        context_channels: int | None = None,
        noise_features: int = 0,
        channels: int = 64,
        halvings: int = 2,
        blocks: int = 6,
        output: OutputRange = "tanh",
    ) -> None:
        super().__init__()
        self.image_shape, self.grids = image_grids(image_shape, halvings + 1)
        context_channels = self.image_shape[0] if context_channels is None else context_channels
        require_sizes(context_channels=context_channels, channels=channels, halvings=halvings, blocks=blocks)
        if noise_features < 0 or min(self.image_shape[1:]) < 4 or min(self.grids[-1]) < 2:
            raise ValueError(
                f"`noise_features` must not be negative, sides at least 4, and 2 after {halvings} halvings; "
                f"got {noise_features} and {self.image_shape}."
            )
        self.noise_features, self.context_shape = noise_features, (context_channels, *self.image_shape[1:])
        widths = [channels * 2**level for level in range(halvings + 1)]
        self.first = _reflected(context_channels, channels, 7)
        self.first_normalization = ConditionalNormalization("instance", channels)
        pairs = list(itertools.pairwise(widths))
        self.downs = nn.ModuleList(nn.Conv2d(width, out, 3, 2, 1, bias=False) for width, out in pairs)
        self.down_normalizations = nn.ModuleList(ConditionalNormalization("instance", out) for _, out in pairs)
        self.blocks = nn.ModuleList(_Block(widths[-1], noise_features) for _ in range(blocks))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(out, width, 3, 2, 1, bias=False) for width, out in pairs)
        self.up_normalizations = nn.ModuleList(ConditionalNormalization("instance", width) for width, _ in pairs)
        self.last = _reflected(channels, self.image_shape[0], 7, bias=True)
        self.output = output_activation(output)
        normal_initialized(self)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Images ``[n, C, H, W]`` of images ``[n, C', H, W]``, or of noise ``[n, noise_features]`` and images.

        Raises:
            ValueError: the noise is missing, or something has another shape.
        """
        if len(inputs) not in (1, 2) or (len(inputs) == 1 and self.noise_features):
            raise ValueError(f"ResidualTranslator takes an image, after noise where it has some; got {len(inputs)} tensor(s).")
        context = inputs[-1]
        require_events("ResidualTranslator", "context", context, self.context_shape)
        noise = inputs[0] if self.noise_features else None
        if len(inputs) == 2:
            require_events("ResidualTranslator", "noise", inputs[0], (self.noise_features,))
        h = torch.relu(self.first_normalization(self.first(context)))
        for down, normalization in zip(self.downs, self.down_normalizations, strict=True):
            h = torch.relu(normalization(down(h)))
        for block in self.blocks:
            h = block(h, noise)
        for level in reversed(range(len(self.ups))):
            up = self.ups[level](h, output_size=self.grids[level])
            h = torch.relu(self.up_normalizations[level](up))
        return self.output(self.last(h))  # type: ignore[no-any-return]


class _Block(nn.Module):
    """Two reflected convolutions, added to their input."""

    def __init__(self, channels: int, noise_features: int) -> None:
        super().__init__()
        self.first, self.second = _reflected(channels, channels, 3), _reflected(channels, channels, 3)
        self.first_normalization = ConditionalNormalization("instance", channels, noise_features)
        self.second_normalization = ConditionalNormalization("instance", channels, noise_features)

    def forward(self, x: Tensor, noise: Tensor | None) -> Tensor:
        h = F.relu(self.first_normalization(self.first(x), noise))
        change: Tensor = self.second_normalization(self.second(h), noise)
        return x + change


def _reflected(channels: int, out_channels: int, kernel: int, *, bias: bool = False) -> nn.Conv2d:
    """A convolution that keeps the size, the image reflected at its borders."""
    return nn.Conv2d(channels, out_channels, kernel, padding=kernel // 2, padding_mode="reflect", bias=bias)
