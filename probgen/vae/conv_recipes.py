r"""Ready-made models on images: convolutional and residual networks between images and vectors of latents.

.. math::

    q(z \mid x) = \mathcal N\bigl(\mu(x), \operatorname{diag} \sigma^2(x)\bigr), \qquad
    p(x \mid z) = \prod_i p\bigl(x_i \mid \theta_i(z)\bigr),

as in :mod:`probgen.vae.recipes`, with :class:`~probgen.nn.ConvEncoder` and :class:`~probgen.nn.ConvDecoder`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from pyro.distributions import TorchDistribution
from torch import Tensor, nn

from probgen.distributions import standard_normal
from probgen.distributions.elements import BernoulliElement, Element, NetworkLaw, NormalElement
from probgen.nn import ConvDecoder, ConvEncoder
from probgen.vae.autoencoder import Autoencoder
from probgen.vae.model import VAE
from probgen.vae.recipes import Centered

__all__ = ["conv_autoencoder", "conv_vae"]


def conv_vae(
    image_shape: Sequence[int],
    latent: int,
    element: Element | None = None,
    *,
    width: int = 32,
    multipliers: Sequence[int] = (1, 1, 1),
    blocks: int = 1,
    residual: bool = False,
    context_shape: Sequence[int] | None = None,
    prior: TorchDistribution | nn.Module | None = None,
    conditional_prior: bool = False,
    activation: Callable[[], nn.Module] = nn.SiLU,
    mean: Tensor | float = 0.0,
) -> VAE:
    """A variational autoencoder of convolutional networks, for images.

    Args:
        image_shape: ``(C, H, W)``.
        latent: Size of the latent vector.
        element: Law of a pixel's channel, or of a pixel; ``BernoulliElement()`` by default.
        width: Channels at the image's resolution.
        multipliers: Channels of each resolution, as multiples of ``width``; each halves the one before.
        blocks: Blocks a resolution.
        residual: Use residual blocks with group normalization and SiLU.
        context_shape: Trailing shape of a context that encoder and decoder take, or None; it is read as a vector.
        prior: The law of the latents, or a module that returns it; standard normal by default.
        conditional_prior: Whether the prior is called with the context.
        activation: Makes the activation of plain blocks.
        mean: Subtracted from what the encoder sees: a number, or the mean of the data ``[*event]``.

    Raises:
        ValueError: a size is not positive, or the arguments contradict each other.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> vae = pg.vae.conv_vae((1, 28, 28), latent=20, width=8)
        >>> vae.loss()(torch.zeros(5, 1, 28, 28)).shape, vae.distribution().sample((3,)).shape
        (torch.Size([]), torch.Size([3, 1, 28, 28]))
    """
    image, element = tuple(image_shape), BernoulliElement() if element is None else element
    context = None if context_shape is None else tuple(context_shape)
    options = _options(width, multipliers, blocks, residual=residual, activation=activation)
    options["context_features"] = 0 if context is None else math.prod(context)
    encoder = Centered(ConvEncoder(image, 2 * latent, **options), mean, flat=False)
    decoder = ConvDecoder(latent, _parameter_planes(image, element), **options)
    return VAE(
        standard_normal(latent) if prior is None else prior,
        NetworkLaw(decoder if context is None else Centered(decoder), element, image, (latent,), context),
        NetworkLaw(encoder, NormalElement(), (latent,), image, context),
        context_shape=context,
        conditional_prior=conditional_prior,
    )


def conv_autoencoder(
    image_shape: Sequence[int],
    code: int,
    *,
    element: Element | None = None,
    width: int = 32,
    multipliers: Sequence[int] = (1, 1, 1),
    blocks: int = 1,
    residual: bool = False,
    activation: Callable[[], nn.Module] = nn.SiLU,
    mean: Tensor | float = 0.0,
) -> Autoencoder:
    """A convolutional autoencoder of images, with a code that is a vector.

    Args:
        image_shape: ``(C, H, W)``.
        code: Size of the code.
        element: Law of a pixel's channel, for a decoder that gives a law; None for reconstructions and their squared error.
        width: Channels at the image's resolution.
        multipliers: Channels of each resolution, as multiples of ``width``; each halves the one before.
        blocks: Blocks a resolution.
        residual: Use residual blocks with group normalization and SiLU.
        activation: Makes the activation of plain blocks.
        mean: Subtracted from what the encoder sees: a number, or the mean of the data ``[*event]``.

    Raises:
        ValueError: a size is not positive, or the arguments contradict each other.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> pg.vae.conv_autoencoder((1, 8, 8), code=4, width=8)(torch.zeros(5, 1, 8, 8)).shape
        torch.Size([5, 1, 8, 8])
    """
    image = tuple(image_shape)
    options = _options(width, multipliers, blocks, residual=residual, activation=activation)
    network = ConvDecoder(code, image if element is None else _parameter_planes(image, element), **options)
    decoder = network if element is None else NetworkLaw(network, element, image, (code,))
    return Autoencoder(Centered(ConvEncoder(image, code, **options), mean, flat=False), decoder, image, (code,))


def _options(
    width: int, multipliers: Sequence[int], blocks: int, *, residual: bool, activation: Callable[[], nn.Module]
) -> dict[str, Any]:
    """What encoder and decoder have in common."""
    return {
        "width": width,
        "multipliers": tuple(multipliers),
        "blocks": blocks,
        "residual": residual,
        "activation": activation,
    }


def _parameter_planes(image: tuple[int, ...], element: Element) -> tuple[int, ...]:
    """``(P * C, H, W)``, where the element is a channel; ``(P, H, W)``, where it is a pixel."""
    return (element.num_outputs(image) // math.prod(image[1:]), *image[1:])
