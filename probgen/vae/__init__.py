"""Variational autoencoders: latent-variable models as Pyro models with their guides."""

from probgen.vae.model import VAE

__all__ = ["VAE"]
