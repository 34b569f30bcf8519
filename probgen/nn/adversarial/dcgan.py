r"""Deep convolutional generator and critic by Radford's rules.

.. code-block:: text

    generator    z ── linear, image ──[norm, ReLU]── up ──[norm, ReLU]── ... ── up ── tanh
    critic       x ── down ──[LeakyReLU]── down ──[norm, LeakyReLU]── ... ── flat, linear

No pooling: ``up`` and ``down`` are transposed and plain convolutions of stride 2 with 4 x 4 kernels. Every layer is normalized
but the generator's last and the critic's first. All weights start as N(0, 0.02^2).

A context enters as a vector: concatenated to the noise in the generator, projected in the critic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.nn.adversarial._pyramid import pyramid
from probgen.nn.adversarial.condition_vector import ConditionedNetwork, ProjectionOutput, initialized_around_condition
from probgen.nn.adversarial.layers import (
    Normalization,
    OutputRange,
    cancels_bias,
    normal_initialized,
    normalization_layer,
    output_activation,
)
from probgen.nn.adversarial.spectral import spectral_normalized
from probgen.nn.conditioning import Conditioning
from probgen.nn.convolutional_blocks import require_sizes

__all__ = ["DCGANCritic", "DCGANGenerator"]


class DCGANGenerator(ConditionedNetwork):
    """A generator of images: noise ``[n, noise_features]`` (and a context) to ``[n, C, H, W]``, any H and W from 2 up.

    With batch normalization, in training, draws of one batch depend on each other; in evaluation they are independent.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise.
        channels: Channels of the level next to the image.
        multipliers: Channels of the levels 1, 2, ... from the image down, as multiples of ``channels``, one halving each;
            None: 1, 2, 4, 8, ... until the coarsest grid is about 4 x 4.
        output: ``"tanh"`` for images in [-1, 1], ``"sigmoid"`` for [0, 1], ``"identity"`` for all reals.
        normalization: ``"batch"`` (by the rules), ``"layer"``, ``"instance"`` or ``"none"``.
        conditioning: What turns a context into a vector; None: the network takes no context. The critic needs one of its own.

    Raises:
        ValueError: a size is not positive, or a name is unknown.

    References:
        Radford, Metz, Chintala (2016). Unsupervised representation learning with deep convolutional generative adversarial
        networks. https://arxiv.org/abs/1511.06434

    Example:
        >>> import torch
        >>> from probgen.nn import ClassConditioning, DCGANGenerator
        >>> generator = DCGANGenerator((1, 28, 28), noise_features=64, channels=16, conditioning=ClassConditioning(10))
        >>> generator(torch.randn(5, 64), torch.arange(5)).shape
        torch.Size([5, 1, 28, 28])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        noise_features: int = 128,
        *,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        output: OutputRange = "tanh",
        normalization: Normalization = "batch",
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__(conditioning)
        self.image_shape, self.grids, widths = pyramid(image_shape, channels, multipliers)
        require_sizes(noise_features=noise_features)
        self.noise_features = noise_features
        bias = not cancels_bias(normalization)
        rows = widths[-1] * math.prod(self.grids[-1])
        self.first = nn.Linear(noise_features + self.condition.features, rows, bias=bias)
        self.normalizations = nn.ModuleList(normalization_layer(normalization, width) for width in widths)
        sizes = enumerate(zip([self.image_shape[0], *widths[:-1]], widths, strict=True))
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(width, out, 4, 2, 1, bias=bias or level == 0) for level, (out, width) in sizes
        )
        self.output = output_activation(output)
        initialized_around_condition(self, normal_initialized)

    def forward(self, noise: Tensor, context: Tensor | None = None) -> Tensor:
        """Images ``[n, C, H, W]`` of ``noise`` ``[n, noise_features]`` and a context ``[n, *context_shape]``.

        Raises:
            ValueError: the noise has another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("noise", noise, (self.noise_features,), context)
        flat = self.first(noise if condition is None else torch.cat([noise, condition], dim=1))
        h = flat.reshape(noise.shape[0], flat.shape[1] // math.prod(self.grids[-1]), *self.grids[-1])
        for level in reversed(range(len(self.ups))):
            h = self.ups[level](torch.relu(self.normalizations[level](h)), output_size=self.grids[level])
        return self.output(h)  # type: ignore[no-any-return]


class DCGANCritic(ConditionedNetwork):
    """A critic of images: ``[N, C, H, W]`` (and a context) to outputs ``[N, 1]``, any H and W from 2 up.

    With the default batch normalization the output for one example depends on its batch; a critic with a gradient penalty
    (``Wasserstein(gradient_penalty=...)``, ``R1``, ...) must have another normalization, or none. For packs of m examples
    (``Adversarial(packing=m)``) give it images of m C channels.

    Args:
        image_shape: ``(C, H, W)``.
        channels: Channels of the first level.
        multipliers: Channels of the levels 1, 2, ... as multiples of ``channels``, one halving each; None: 1, 2, 4, 8, ...
            until the coarsest grid is about 4 x 4.
        normalization: ``"batch"`` (by the rules), ``"layer"``, ``"instance"`` or ``"none"``.
        spectral: Spectral normalization of every layer.
        conditioning: What turns a context into a vector; None: the network takes no context.

    Raises:
        ValueError: a size is not positive, or a name is unknown.

    References:
        Radford, Metz, Chintala (2016). Unsupervised representation learning with deep convolutional generative adversarial
        networks. https://arxiv.org/abs/1511.06434

        Gulrajani et al. (2017). Improved training of Wasserstein GANs, section 4: no critic batch normalization.
        https://arxiv.org/abs/1704.00028

    Example:
        >>> import torch
        >>> from probgen.nn import DCGANCritic
        >>> critic = DCGANCritic((1, 28, 28), channels=16, normalization="none", spectral=True)
        >>> critic(torch.zeros(5, 1, 28, 28)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        *,
        channels: int = 64,
        multipliers: Sequence[int] | None = None,
        normalization: Normalization = "batch",
        spectral: bool = False,
        conditioning: Conditioning | None = None,
    ) -> None:
        super().__init__(conditioning)
        self.image_shape, grids, widths = pyramid(image_shape, channels, multipliers)
        sizes = enumerate(zip([self.image_shape[0], *widths[:-1]], widths, strict=True))
        bias = not cancels_bias(normalization)
        self.downs = nn.ModuleList(nn.Conv2d(width, out, 4, 2, 1, bias=bias or level == 0) for level, (width, out) in sizes)
        self.normalizations = nn.ModuleList(
            normalization_layer(normalization if level else "none", width) for level, width in enumerate(widths)
        )
        features = widths[-1] * math.prod(grids[-1])
        self.output = ProjectionOutput(features, self.condition.features, projected=widths[-1])
        initialized_around_condition(self, normal_initialized)
        if spectral:
            spectral_normalized(self)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Outputs ``[N, 1]`` of images ``[N, C, H, W]`` and a context ``[N, *context_shape]``.

        Raises:
            ValueError: the images have another shape; a ``ContextError`` where the context is missing or has.
        """
        condition = self._condition_of("x", x, self.image_shape, context)
        h = x
        for down, normalization in zip(self.downs, self.normalizations, strict=True):
            h = nn.functional.leaky_relu(normalization(down(h)), 0.2)
        return self.output(h.flatten(1), condition, h.mean((2, 3)))  # type: ignore[no-any-return]
