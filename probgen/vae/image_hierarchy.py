"""A ready hierarchy for images: levels at several resolutions, residual convolutional blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from probgen.distributions.elements import BernoulliElement, Element, NetworkLaw, NormalElement
from probgen.nn import Downsample, MergeBlock, ResidualBlock, TopDownUpdate
from probgen.nn.image_shape import image_sizes
from probgen.vae.level import Level
from probgen.vae.posterior_rule import PosteriorRule
from probgen.vae.top_down import TopDownVAE

__all__ = ["conv_top_down_vae"]


def conv_top_down_vae(
    image_shape: Sequence[int],
    latents: Sequence[Sequence[int]],
    element: Element | None = None,
    *,
    channels: int = 32,
    posterior: PosteriorRule = "residual",
    dropout: float = 0.0,
) -> TopDownVAE:
    """A top-down hierarchy of feature maps in the manner of NVAE and the very deep VAE.

    Args:
        image_shape: Shape (C, H, W) of an image; any size, odd ones too.
        latents: For every resolution, from that of the image on and each half the one before, the channels of the latents of
            its levels, from the data up. ``((), (2,), (4, 4))`` puts no level at 28 x 28, one at 14 x 14 and two at 7 x 7.
        element: The law of a pixel; by default binary.
        channels: Channels of features and state at every resolution.
        posterior: How posteriors are made of priors and data; see :class:`~probgen.vae.top_down.TopDownVAE`.
        dropout: Probability with which a value is dropped in training.

    Raises:
        ValueError: there is no level, none at the lowest resolution, or the image has no three dimensions.

    References:
        Vahdat, Kautz (2020). NVAE: a deep hierarchical variational autoencoder. https://arxiv.org/abs/2007.03898
        Child (2021). Very deep VAEs generalize autoregressive models. https://arxiv.org/abs/2011.10650

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> vae = pg.vae.conv_top_down_vae((1, 7, 7), ((1,), (2, 2)), channels=8)
        >>> vae.distribution()
        HierarchicalLaw(event_shape=(1, 7, 7), latents={'z_3': (2, 4, 4), 'z_2': (2, 4, 4), 'z_1': (1, 7, 7)})
        >>> vae.distribution().elbo(torch.zeros(5, 1, 7, 7)).shape
        torch.Size([5])
    """
    image = image_sizes(image_shape)
    if not latents or not latents[-1]:
        raise ValueError(f"`latents` must end with a resolution that has levels; got {latents}.")
    element = element or BernoulliElement()
    sizes = _sizes(image[1:], len(latents))
    levels: list[Level] = []
    encoder: list[nn.Module] = []
    pending: list[nn.Module] = [nn.Conv2d(image[0], channels, 3, padding=1)]
    below = 0  # the resolution of the level below
    for resolution, group in enumerate(latents):
        pending += [Downsample(channels)] if resolution else []
        for k, size in enumerate(group):
            top = resolution == len(latents) - 1 and k == len(group) - 1
            up = sizes[below:resolution][::-1]
            levels.append(_level(size, channels, sizes[resolution], up, top=top, dropout=dropout))
            encoder.append(nn.Sequential(*pending, ResidualBlock(channels, channels, dropout=dropout)))
            pending, below = [], resolution
    head = ResidualBlock(channels, element.num_outputs(image) // math.prod(image[1:]))
    decoder = NetworkLaw(head, element, image, (channels, *sizes[0]))
    return TopDownVAE(levels, decoder, encoder, posterior=posterior)


def _level(size: int, channels: int, at: tuple[int, int], up: Sequence[tuple[int, int]], *, top: bool, dropout: float) -> Level:
    """A level of ``size`` channels; the next state is brought up through the sizes ``up``."""
    latent, state = (size, *at), (channels, *at)
    prior = None if top else NetworkLaw(ResidualBlock(channels, 2 * size, dropout=dropout), NormalElement(), latent, state)
    correction = MergeBlock(channels, channels, 2 * size, dropout=dropout)
    return Level(
        latent,
        state,
        prior=prior,
        update=TopDownUpdate(channels, size, sizes=up, dropout=dropout),
        correction=NetworkLaw(correction, NormalElement(), latent, state, state),
    )


def _sizes(size: Sequence[int], count: int) -> list[tuple[int, int]]:
    """The size of the image and of each halving."""
    sizes = [(size[0], size[1])]
    for _ in range(count - 1):
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes
