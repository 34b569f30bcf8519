r"""The variational autoencoder in the comparison: a law of the integers, with a prior, a decoder and an encoder.

It models centered gray values :math:`x = 2k / (L - 1) - 1` by discretized logistic pixels that are independent given the
latents; its importance-weighted bound of :math:`\log P(x)` becomes one of the density :math:`L^D\, P(\lfloor L v \rfloor)` of
dequantized pixels v. By class, the label is the context of decoder and encoder.

An image is completed by a chain: draw latents given the image, an image given the latents, keep what was seen (Rezende,
Mohamed, Wierstra, 2014, https://arxiv.org/abs/1401.4082). Its law would be exact if the encoder were the posterior.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen import infer
from probgen.demo.image_format import DIGITS, ImageFormat
from probgen.demo.problem import Problem
from probgen.demo.registry import ImageModel
from probgen.distributions.elements import DiscretizedLogisticElement
from probgen.vae import VAE, conv_vae, mlp_vae

__all__ = ["VAEModel", "digits_vae", "evidence_bound", "image_vae", "vae_model"]

LATENTS = 32


def digits_vae(*, width: int = 256, conditional: bool = False) -> VAE:
    """A variational autoencoder of flat 8x8 digits with 17 gray values, centered, by perceptrons.

    Args:
        width: Hidden units in each of two layers of decoder and encoder.
        conditional: Whether decoder and encoder take a one-hot label.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_vae
        >>> digits_vae(width=16).distribution().sample((3,)).shape
        torch.Size([3, 64])
    """
    pixel = DiscretizedLogisticElement(DIGITS.quantization)
    context = (DIGITS.num_classes,) if conditional else None
    return mlp_vae((DIGITS.num_pixels,), LATENTS, pixel, hidden=(width, width), context_shape=context, activation=nn.SiLU)


def image_vae(images: ImageFormat, *, width: int = 16, conditional: bool = False) -> VAE:
    """A variational autoencoder of gray images, centered, by residual convolutions.

    Args:
        images: Their format.
        width: Channels at the image's resolution.
        conditional: Whether decoder and encoder take a one-hot label.

    Example:
        >>> from probgen.demo import ImageFormat, image_vae
        >>> image_vae(ImageFormat(28, 28, levels=256, num_classes=10), width=8).distribution().sample((3,)).shape
        torch.Size([3, 1, 28, 28])
    """
    pixel = DiscretizedLogisticElement(images.quantization)
    context = (images.num_classes,) if conditional else None
    return conv_vae(images.shape, LATENTS, pixel, width=width, multipliers=(1, 2, 2), residual=True, context_shape=context)


def vae_model(problem: Problem, *, conditional: bool) -> VAEModel:
    """The entry's model: perceptrons for small images, convolutions for others.

    Args:
        problem: The data.
        conditional: Unconditional or by class.

    Example:
        >>> from probgen.demo import Settings, load_problem, vae_model
        >>> vae_model(load_problem(Settings.smoke()), conditional=False).kind
        'lower'
    """
    if problem.images == DIGITS:
        return VAEModel(digits_vae(width=8 * problem.width, conditional=conditional))
    vae = image_vae(problem.images, width=problem.narrow, conditional=conditional)
    return VAEModel(vae, draws=16, images=problem.images)


class VAEModel(ImageModel):
    """A variational autoencoder behind the demo's interface.

    Args:
        vae: A model of centered images, flat or not, with a one-hot label as context if it is by class.
        draws: Importance-weighted draws of the latents for each image in the bound.
        images: The format of the images.

    Example:
        >>> import torch
        >>> from probgen.demo import VAEModel, digits_vae
        >>> model = VAEModel(digits_vae(width=16), draws=4)
        >>> model.kind, model.sample(3).shape, model.log_prob(torch.rand(3, 64)).shape
        ('lower', torch.Size([3, 64]), torch.Size([3]))
    """

    kind = "lower"
    dequantized = False
    latent = f"yes, {LATENTS} numbers, a law for each image"
    completes = "a chain of encoder and decoder"

    def __init__(self, vae: VAE, *, draws: int = 64, images: ImageFormat = DIGITS) -> None:
        super().__init__(images)
        self.vae = vae
        self.draws = draws
        self.rows = 512 if images.small else 32

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program."""
        return self.vae.model(self._centered(v), self._context(label))

    def guide(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro guide."""
        return self.vae.guide(self._centered(v), self._context(label))

    def _log_prob(self, v: Tensor, label: Tensor | None) -> Tensor:
        """The importance-weighted bound."""
        found = self.vae.distribution(self._context(label)).log_prob_estimate(self._centered(v), self.draws)
        return self.images.num_pixels * math.log(self.images.levels) + found.value

    def _sample(self, n: int, label: Tensor | None) -> Tensor:
        """Draws, in the middle of their cells."""
        return self._pixels(self.vae.distribution(self._context(label)).sample((n,) if label is None else ()))

    def _encode(self, v: Tensor, label: Tensor | None) -> Tensor:
        """The mean of the approximate posterior of each image."""
        return self.vae.encode(self._centered(v), self._context(label)).mean

    def _decode(self, z: Tensor, label: Tensor | None) -> Tensor:
        """The mean image of each latent vector."""
        return self._pixels(self.vae.decode(z, self._context(label)).mean)

    def _complete(self, v: Tensor, num_rows: int, moves: int) -> Tensor:
        """The chain, started with the lower rows of a draw."""
        known = num_rows * self.images.width
        made = self._sample(len(v), None)
        for _ in range(moves):
            x = torch.cat([v[:, :known], made[:, known:]], -1)
            made = self._pixels(self.vae.decode(self.vae.encode(self._centered(x)).sample()).sample())
        return torch.cat([v[:, :known], made[:, known:]], -1)

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """What the latents hold: mean images of the prior's draws, wider and narrower."""
        if self.vae.context_shape is not None:
            return {}
        z = torch.randn(10, LATENTS)
        rows = torch.stack([self.decode(scale * z) for scale in (0.0, 0.5, 0.7, 1.0)])
        return {"Mean images of latents drawn with standard deviation 0, 0.5, 0.7 and 1.": rows}

    def _centered(self, v: Tensor) -> Tensor:
        """In the shape of the model's data."""
        return self.images.centered(v).reshape(*v.shape[:-1], *self.vae.event_shape)

    def _pixels(self, x: Tensor) -> Tensor:
        return self.images.pixels(x.flatten(-len(self.vae.event_shape)))

    def _context(self, label: Tensor | None) -> Tensor | None:
        return None if label is None else self.images.one_hot(label)


def evidence_bound(model: ImageModel) -> nn.Module:
    """The loss that trains it: the evidence lower bound, with closed-form divergences.

    Args:
        model: A ``VAEModel``.

    Raises:
        TypeError: it is another one.

    Example:
        >>> import torch
        >>> from probgen.demo import VAEModel, digits_vae, evidence_bound
        >>> evidence_bound(VAEModel(digits_vae(width=16)))(torch.rand(5, 64)).shape
        torch.Size([])
    """
    if not isinstance(model, VAEModel):
        raise TypeError(f"`model` must be a VAEModel; got {type(model).__name__}.")
    return infer.ELBO()(model, model.guide)
