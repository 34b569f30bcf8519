r"""Residual generators and critics: WGAN-GP and SNGAN, SAGAN, and BigGAN in small.

.. math:: h \leftarrow \mathrm{shortcut}(h) + \mathrm{conv}(\mathrm{ReLU}(\mathrm{norm}_c(\cdots h)))

The recipes differ in what keeps the critic's slope bounded (a penalty and layer normalization, or spectral normalization), in
self-attention, and in how noise and context enter. Each names the divergence with which it was published.
"""

from __future__ import annotations

from collections.abc import Sequence

from probgen.gan.parts import GAN, law_of, own_conditioning, packed_shape
from probgen.nn import Conditioning
from probgen.nn.adversarial import ResidualCritic, ResidualGenerator

__all__ = ["biggan_small", "residual_gan", "sagan"]


def residual_gan(
    image_shape: Sequence[int],
    noise_features: int = 128,
    *,
    channels: int = 64,
    critic_channels: int | None = None,
    multipliers: Sequence[int] | None = None,
    spectral: bool = True,
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """A residual generator of images in [-1, 1] and its critic: SNGAN, or the networks of WGAN-GP.

    Train the first with ``Hinge()``, the second with ``Wasserstein(gradient_penalty=10.0)`` and five steps of the critic a
    round.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise.
        channels: The generator's channels of the level next to the image.
        critic_channels: The critic's; as the generator's by default.
        multipliers: Channels of the levels, one halving each; None: until the grid is about 4 x 4.
        spectral: Spectral normalization of the critic (SNGAN); False: layer normalization, for a gradient penalty (WGAN-GP).
        packing: Images that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector: it scales and shifts the generator's normalized features, and is
            projected in the critic, which gets a copy.

    References:
        Gulrajani et al. (2017). Improved training of Wasserstein GANs. https://arxiv.org/abs/1704.00028

        Miyato, Kataoka, Koyama, Yoshida (2018). Spectral normalization for generative adversarial networks.
        https://arxiv.org/abs/1802.05957

    Example:
        >>> import probgen as pg
        >>> law, critic = pg.gan.residual_gan((1, 8, 8), 16, channels=8)
        >>> _ = law.eval()
        >>> critic(law().sample((3,))).shape
        torch.Size([3, 1])
    """
    generator = ResidualGenerator(
        image_shape, noise_features, channels=channels, multipliers=multipliers, conditioning=conditioning
    )
    critic = ResidualCritic(
        packed_shape(image_shape, packing),
        channels=channels if critic_channels is None else critic_channels,
        multipliers=multipliers,
        normalization="none" if spectral else "layer",
        spectral=spectral,
        conditioning=own_conditioning(conditioning, packing),
    )
    return GAN(law_of(generator, noise_features, image_shape, conditioning), critic)


def sagan(
    image_shape: Sequence[int],
    noise_features: int = 128,
    *,
    channels: int = 64,
    multipliers: Sequence[int] | None = None,
    attention: int | None = None,
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """A residual generator and critic with self-attention, both with spectral normalization; with labels usually.

    Train it with ``Hinge()``, the critic at four times the generator's learning rate.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise.
        channels: Channels of the level next to the image.
        multipliers: Channels of the levels, one halving each, two levels at least; None: until the grid is about 4 x 4.
        attention: Height of the grid with attention; half the image's by default.
        packing: Images that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector, such as ``ClassConditioning(10)``; the critic gets a copy.

    References:
        Zhang, Goodfellow, Metaxas, Odena (2019). Self-attention generative adversarial networks.
        https://arxiv.org/abs/1805.08318

        Miyato, Koyama (2018). cGANs with projection discriminator. https://arxiv.org/abs/1802.05637

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> labels = pg.nn.ClassConditioning(10, features=16)
        >>> law, critic = pg.gan.sagan((1, 16, 16), 16, channels=8, conditioning=labels)
        >>> critic(law(torch.arange(10)).sample(), torch.arange(10)).shape
        torch.Size([10, 1])
    """
    return _attentive(image_shape, noise_features, channels, multipliers, attention, packing, conditioning, split=False)


def biggan_small(
    image_shape: Sequence[int],
    noise_features: int = 120,
    *,
    channels: int = 32,
    multipliers: Sequence[int] | None = None,
    attention: int | None = None,
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """What a BigGAN is beside its size: SAGAN with a part of the noise for every level.

    Train it with ``Adversarial(Hinge(), critic_steps=2, generator_penalty=lambda law: 1e-4 * orthogonal_penalty(law))`` and
    an ``EMA`` of the law; then ``truncated(law(labels), threshold)`` trades variety for quality.

    Args:
        image_shape: ``(C, H, W)``.
        noise_features: Width of the noise, a multiple of the number of levels plus one.
        channels: Channels of the level next to the image.
        multipliers: Channels of the levels, one halving each, two levels at least; None: until the grid is about 4 x 4.
        attention: Height of the grid with attention; half the image's by default.
        packing: Images that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector, such as ``ClassConditioning(10)``; the critic gets a copy.

    References:
        Brock, Donahue, Simonyan (2019). Large scale GAN training for high fidelity natural image synthesis.
        https://arxiv.org/abs/1809.11096

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> labels = pg.nn.ClassConditioning(10, features=16)
        >>> law, critic = pg.gan.biggan_small((1, 16, 16), 24, channels=8, conditioning=labels)
        >>> law(torch.arange(10)).sample().shape
        torch.Size([10, 1, 16, 16])
    """
    return _attentive(image_shape, noise_features, channels, multipliers, attention, packing, conditioning, split=True)


def _attentive(
    image_shape: Sequence[int],
    noise_features: int,
    channels: int,
    multipliers: Sequence[int] | None,
    attention: int | None,
    packing: int,
    conditioning: Conditioning | None,
    *,
    split: bool,
) -> GAN:
    if multipliers is None and len(image_shape) == 3 and min(image_shape[1:]) < 16:
        multipliers = (1, 2)  # two halvings, or no grid would be in both networks for attention
    height = tuple(image_shape)[1] // 2 if attention is None else attention
    generator = ResidualGenerator(
        image_shape,
        noise_features,
        channels=channels,
        multipliers=multipliers,
        attention=height,
        spectral=True,
        split_noise=split,
        conditioning=conditioning,
    )
    critic = ResidualCritic(
        packed_shape(image_shape, packing),
        channels=channels,
        multipliers=multipliers,
        attention=height,
        spectral=True,
        conditioning=own_conditioning(conditioning, packing),
    )
    return GAN(law_of(generator, noise_features, image_shape, conditioning), critic)
