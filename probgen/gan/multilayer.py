r"""The first adversarial networks: multilayer perceptrons, for vectors and small images.

A context is concatenated to the noise and to the events: the conditional GAN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from probgen.gan.parts import GAN, law_of, own_conditioning, packed_shape
from probgen.nn import Conditioning, MLPCritic, MLPGenerator, spectral_normalized

__all__ = ["mlp_gan"]


def mlp_gan(
    event_shape: Sequence[int],
    noise_features: int = 16,
    *,
    hidden: Sequence[int] = (128, 128),
    critic_hidden: Sequence[int] | None = None,
    activation: Callable[[], nn.Module] = nn.ReLU,
    critic_activation: Callable[[], nn.Module] | None = None,
    output: nn.Module | None = None,
    spectral: bool = False,
    packing: int = 1,
    conditioning: Conditioning | None = None,
) -> GAN:
    """A generator and a critic that are multilayer perceptrons.

    Args:
        event_shape: Shape of an event.
        noise_features: Width of the noise.
        hidden: Widths of the generator's hidden layers.
        critic_hidden: Widths of the critic's; as the generator's by default.
        activation: Makes the activation of hidden layers.
        critic_activation: Makes the critic's; as the generator's by default.
        output: Applied to what is generated: ``nn.Tanh()`` for images in [-1, 1].
        spectral: Spectral normalization of the critic's layers.
        packing: Events that the critic judges at once; the same as in ``Adversarial(packing=...)``.
        conditioning: What turns a context into a vector, as ``ClassConditioning(10)`` does with labels; the critic gets a copy.

    References:
        Goodfellow et al. (2014). Generative adversarial nets. https://arxiv.org/abs/1406.2661

        Mirza, Osindero (2014). Conditional generative adversarial nets. https://arxiv.org/abs/1411.1784

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> law, critic = pg.gan.mlp_gan((1, 8, 8), conditioning=pg.nn.ClassConditioning(10, features=8))
        >>> law(torch.arange(10)).sample((2,)).shape, critic(torch.zeros(3, 1, 8, 8), torch.arange(3)).shape
        (torch.Size([2, 10, 1, 8, 8]), torch.Size([3, 1]))
    """
    generator = MLPGenerator(
        event_shape, noise_features, hidden=hidden, activation=activation, output=output, conditioning=conditioning
    )
    critic = MLPCritic(
        packed_shape(event_shape, packing),
        hidden=hidden if critic_hidden is None else critic_hidden,
        activation=critic_activation or activation,
        conditioning=own_conditioning(conditioning, packing),
    )
    law = law_of(generator, noise_features, event_shape, conditioning)
    return GAN(law, spectral_normalized(critic) if spectral else critic)
