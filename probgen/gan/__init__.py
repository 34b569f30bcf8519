"""Generative adversarial networks: recipes, one paper or idea a file, and translators between kinds of images.

A recipe gives an ``ImplicitLaw`` and a critic for ``infer.Adversarial``; ``CycleGAN`` and ``Pix2Pix`` are objectives with laws
of their own. Networks stand in ``probgen.nn``, divergences and penalties in ``probgen.infer``. Nothing here owns an optimizer.
"""

from probgen.gan.critic_losses import CriticLosses
from probgen.gan.cycle_gan import CycleGAN
from probgen.gan.deep_convolutional import dcgan
from probgen.gan.deterministic import NoiseFree, deterministic_law
from probgen.gan.draw_pool import DrawPool
from probgen.gan.inverse_problem import InverseProblem
from probgen.gan.inversion import Inversion, PosteriorDraws, annealed_posterior, invert
from probgen.gan.latent_space import combined_noise, draws_between, mean_noise, typical_length
from probgen.gan.modes import Modes, find_modes
from probgen.gan.multilayer import mlp_gan
from probgen.gan.parts import GAN
from probgen.gan.pix2pix import Pix2Pix
from probgen.gan.progressive_growing import Growing, progressive_gan
from probgen.gan.reflection import LinearMap, QuadraticCritic, linear_cycle_gan, linear_cycle_loss
from probgen.gan.residual_networks import biggan_small, residual_gan, sagan
from probgen.gan.spread import conditional_diversity

__all__ = [
    "GAN",
    "CriticLosses",
    "CycleGAN",
    "DrawPool",
    "Growing",
    "InverseProblem",
    "Inversion",
    "LinearMap",
    "Modes",
    "NoiseFree",
    "Pix2Pix",
    "PosteriorDraws",
    "QuadraticCritic",
    "annealed_posterior",
    "biggan_small",
    "combined_noise",
    "conditional_diversity",
    "dcgan",
    "deterministic_law",
    "draws_between",
    "find_modes",
    "invert",
    "linear_cycle_gan",
    "linear_cycle_loss",
    "mean_noise",
    "mlp_gan",
    "progressive_gan",
    "residual_gan",
    "sagan",
    "typical_length",
]
