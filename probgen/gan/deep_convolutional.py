r"""DCGAN: generator and critic of strided convolutions, on images of any size.

.. math:: z \xrightarrow{\text{linear}} \cdot \xrightarrow{\text{transposed convolutions}} x, \qquad
    x \xrightarrow{\text{strided convolutions}} h, \quad v = w^\top h + e(c)^\top \bar h

Radford's rules (no pooling, batch normalization, ReLU in the generator and leaky ReLU in the critic, tanh at the end) are
those of ``DCGANGenerator`` and ``DCGANCritic``. With a divergence that has a gradient penalty the critic must not use batch
normalization.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.gan.parts import GAN, law_of, own_conditioning, packed_shape
from probgen.nn import Conditioning, DCGANCritic, DCGANGenerator
from probgen.nn.adversarial.layers import Normalization, OutputRange

__all__ = ["dcgan"]


def dcgan(
    image_shape: Sequence[int],
    noise_features: int = 100,
    *,
    channels: int = 64,
    critic_channels: int | None = None,
    multipliers: Sequence[int] | None = None,
    normalization: Normalization = "batch",
    critic_normalization: Normalization = "batch",
    spectral: bool = False,
    output: OutputRange = "tanh",
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """A deep convolutional generator of images and its critic.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise.
        channels: The generator's channels of the level next to the image.
        critic_channels: The critic's; as the generator's by default.
        multipliers: Channels of the levels, one halving each; None: until the grid is about 4 x 4.
        normalization: The generator's.
        critic_normalization: The critic's; "none" or "layer" with a gradient penalty.
        spectral: Spectral normalization of the critic's layers.
        output: Range of the images, "tanh" for [-1, 1].
        packing: Images that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector: ``ClassConditioning(10)`` for labels, ``TextConditioning(...)`` for
            captions. It is concatenated to the noise, and projected in the critic, which gets a copy.

    References:
        Radford, Metz, Chintala (2016). Unsupervised representation learning with deep convolutional generative adversarial
        networks. https://arxiv.org/abs/1511.06434

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> law, critic = pg.gan.dcgan((1, 28, 28), channels=8, critic_normalization="none", spectral=True)
        >>> critic(law().sample((3,))).shape
        torch.Size([3, 1])
    """
    generator = DCGANGenerator(
        image_shape,
        noise_features,
        channels=channels,
        multipliers=multipliers,
        output=output,
        normalization=normalization,
        conditioning=conditioning,
    )
    critic = DCGANCritic(
        packed_shape(image_shape, packing),
        channels=channels if critic_channels is None else critic_channels,
        multipliers=multipliers,
        normalization=critic_normalization,
        spectral=spectral,
        conditioning=own_conditioning(conditioning, packing),
    )
    return GAN(law_of(generator, noise_features, image_shape, conditioning), critic)
