"""Variational autoencoders: latent-variable models as Pyro models with their guides; autoencoders beside them.

This package holds models and recipes. Bounds and estimates of a law are methods of the law (``probgen.distributions.latent``),
objectives stand in ``probgen.infer``, networks in ``probgen.nn``.
"""

from probgen.vae.autoencoder import Autoencoder, ReconstructionLoss
from probgen.vae.corruption import MaskingCorruption, NormalCorruption
from probgen.vae.linear import PrincipalComponents, linear_autoencoder, principal_angles, principal_components
from probgen.vae.model import VAE
from probgen.vae.recipes import mlp_autoencoder, mlp_vae

__all__ = [
    "VAE",
    "Autoencoder",
    "MaskingCorruption",
    "NormalCorruption",
    "PrincipalComponents",
    "ReconstructionLoss",
    "linear_autoencoder",
    "mlp_autoencoder",
    "mlp_vae",
    "principal_angles",
    "principal_components",
]
