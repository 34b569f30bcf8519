r"""The variational autoencoder in the comparison: a law of the integers, with a prior, a decoder and an encoder.

Like diffusion it models centered gray values :math:`x = k/8 - 1`, here by discretized logistic pixels that are independent
given 32 latents; its importance-weighted bound of :math:`\log P(x)` becomes one of the density :math:`17^{64}\, P(\lfloor 17 v
\rfloor)` of dequantized pixels v. By class, the label is the context of decoder and encoder.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from probgen import infer
from probgen.demo.problem import CLASSES, LEVELS, PIXELS, centered, one_hot, pixels
from probgen.demo.registry import DigitModel
from probgen.distributions import Quantization
from probgen.distributions.elements import DiscretizedLogisticElement
from probgen.vae import VAE, mlp_vae

__all__ = ["VAEModel", "digits_vae", "evidence_bound"]

LATENTS = 32


def digits_vae(*, width: int = 256, conditional: bool = False) -> VAE:
    """A variational autoencoder of flat 8x8 digits with 17 gray values, centered.

    Args:
        width: Hidden units in each of two layers of decoder and encoder.
        conditional: Whether decoder and encoder take a one-hot label.

    Example:
        >>> import torch
        >>> from probgen.demo import digits_vae
        >>> digits_vae(width=16).distribution().sample((3,)).shape
        torch.Size([3, 64])
    """
    pixel = DiscretizedLogisticElement(Quantization(LEVELS, -1.0, 1.0))
    context = (CLASSES,) if conditional else None
    return mlp_vae((PIXELS,), LATENTS, pixel, hidden=(width, width), context_shape=context, activation=nn.SiLU)


class VAEModel(DigitModel):
    """A variational autoencoder behind the demo's interface.

    Args:
        vae: A model of flat centered images ``[64]``, with a one-hot label as context if it is by class.
        draws: Importance-weighted draws of the latents for each image in the bound.

    Example:
        >>> import torch
        >>> from probgen.demo import VAEModel, digits_vae
        >>> model = VAEModel(digits_vae(width=16), draws=4)
        >>> model.kind, model.sample(3).shape, model.log_prob(torch.rand(3, 64)).shape
        ('lower', torch.Size([3, 64]), torch.Size([3]))
    """

    kind = "lower"
    dequantized = False

    def __init__(self, vae: VAE, *, draws: int = 64) -> None:
        super().__init__()
        self.vae = vae
        self.draws = draws

    def forward(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro program."""
        return self.vae.model(centered(v), _context(label))

    def guide(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The Pyro guide."""
        return self.vae.guide(centered(v), _context(label))

    @torch.no_grad()
    def log_prob(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The importance-weighted bound in nats, with the same draws at every call: ``[*batch]``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            found = self.vae.distribution(_context(label)).log_prob_estimate(centered(v), self.draws)
        return PIXELS * math.log(LEVELS) + found.value

    @torch.no_grad()
    def sample(self, n: int, label: Tensor | None = None) -> Tensor:
        """Draws, in the middle of their cells."""
        return pixels(self.vae.distribution(_context(label)).sample((n,) if label is None else ()))

    @torch.no_grad()
    def encode(self, v: Tensor, label: Tensor | None = None) -> Tensor:
        """The mean of the approximate posterior of each image."""
        return self.vae.encode(centered(v), _context(label)).mean

    @torch.no_grad()
    def decode(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """The mean image of each latent vector."""
        return pixels(self.vae.decode(z, _context(label)).mean)

    @torch.no_grad()
    def pictures(self) -> dict[str, Tensor]:
        """What the latents hold: mean images of the prior's draws, wider and narrower."""
        if self.vae.context_shape is not None:
            return {}
        z = torch.randn(10, LATENTS)
        rows = torch.stack([self.decode(scale * z) for scale in (0.0, 0.5, 0.7, 1.0)])
        return {"Mean images of latents drawn with standard deviation 0, 0.5, 0.7 and 1.": rows}


def evidence_bound(model: DigitModel) -> nn.Module:
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


def _context(label: Tensor | None) -> Tensor | None:
    return None if label is None else one_hot(label)
