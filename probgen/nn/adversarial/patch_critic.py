r"""A critic of patches: one output for every place of an image, each sees a square of it.

With depth d: d convolutions of stride 2 and two of stride 1, all 4 x 4. Going back from one output, a layer of stride s makes
a field of r pixels one of :math:`s (r - 1) + 4`; so

.. math:: r_0 = 7, \quad r_{k+1} = 2 (r_k - 1) + 4 \quad\Rightarrow\quad r_d = 9 \cdot 2^d - 2:\ 16, 34, 70, 142, \dots

The divergence of *patches* is measured, averaged over places: few weights, any image size, and no opinion on what is farther
apart than r pixels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.nn.adversarial._pyramid import require_events
from probgen.nn.adversarial.layers import Normalization, cancels_bias, normal_initialized, normalization_layer
from probgen.nn.adversarial.spectral import spectral_normalized
from probgen.nn.convolutional_blocks import image_grids, require_sizes

__all__ = ["PatchCritic"]


class PatchCritic(nn.Module):
    """A critic of the patches of images: ``[N, C, H, W]`` (and an image as context) to outputs ``[N, 1, h, w]``.

    Instance normalization spreads statistics over the whole image: with it an output depends a little on what its patch does
    not show. Examples of a batch never see each other, but for ``"batch"``.

    Args:
        image_shape: ``(C, H, W)``.
        context_channels: Channels of an image of the same size that is joined to the input; 0: there is no context.
        channels: Channels of the first convolution; each further one doubles them, up to eight times.
        depth: Convolutions of stride 2; the patches have ``9 * 2**depth - 2`` pixels a side, 70 for the default.
        normalization: ``"instance"``, ``"batch"``, ``"layer"`` or ``"none"``; the first and the last convolution have none.
        spectral: Spectral normalization of every layer.

    Raises:
        ValueError: a size is not positive, the image is too small for the depth, or a name is unknown.

    References:
        Isola, Zhu, Zhou, Efros (2017). Image-to-image translation with conditional adversarial networks.
        https://arxiv.org/abs/1611.07004

    Example:
        >>> import torch
        >>> from probgen.nn import PatchCritic
        >>> critic = PatchCritic((3, 256, 256), channels=8)
        >>> critic(torch.zeros(1, 3, 256, 256)).shape, critic.receptive_field
        (torch.Size([1, 1, 30, 30]), 70)
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        context_channels: int = 0,
        channels: int = 64,
        depth: int = 3,
        normalization: Normalization = "instance",
        spectral: bool = False,
    ) -> None:
        super().__init__()
        self.image_shape, _ = image_grids(image_shape, 1)
        require_sizes(channels=channels, depth=depth)
        if context_channels < 0:
            raise ValueError(f"`context_channels` must not be negative; got {context_channels}.")
        if min(self.image_shape[1:]) >> depth < 3:
            raise ValueError(f"sides of {self.image_shape[1:]} must be at least {3 * 2**depth} for depth {depth}.")
        self.depth = depth
        self.context_shape = (context_channels, *self.image_shape[1:]) if context_channels else None
        widths = [self.image_shape[0] + context_channels, *(channels * min(2**level, 8) for level in range(depth + 1))]
        bias = not cancels_bias(normalization)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(width, out, 4, 2 if level < depth else 1, 1, bias=bias or level == 0)
            for level, (width, out) in enumerate(itertools.pairwise(widths))
        )
        self.normalizations = nn.ModuleList(
            normalization_layer(normalization if level else "none", width) for level, width in enumerate(widths[1:])
        )
        self.output = nn.Conv2d(widths[-1], 1, 4, 1, 1)
        normal_initialized(self)
        if spectral:
            spectral_normalized(self)

    @property
    def receptive_field(self) -> int:
        """Side of the patch that one output sees, in pixels."""
        return int(9 * 2**self.depth - 2)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[N, 1, h, w]`` of images ``[N, C, H, W]`` and a context ``[N, C', H, W]``.

        Raises:
            ValueError: the images have another shape; a ``ContextError`` where the context is missing or has.
        """
        require_events("PatchCritic", "x", x, self.image_shape)
        require_context("PatchCritic", context, self.context_shape, x.shape[:1])
        h = x
        if context is not None and self.context_shape is not None:
            h = torch.cat([x, context.expand(x.shape[0], *self.context_shape)], dim=1)
        for convolution, normalization in zip(self.convolutions, self.normalizations, strict=True):
            h = nn.functional.leaky_relu(normalization(convolution(h)), 0.2)
        return self.output(h)  # type: ignore[no-any-return]
