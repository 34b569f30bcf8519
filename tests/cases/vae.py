"""Cases of latent-variable models that recipes make: laws with a bound only."""

import torch

import probgen as pg
from probgen.distributions.elements import NormalElement
from probgen.distributions.testing import DistributionCase


def mlp():
    return pg.vae.mlp_vae((3,), 2, NormalElement("shared"), hidden=(8,)).distribution()


def conditional():
    vae = pg.vae.mlp_vae((3,), 2, NormalElement("shared"), hidden=(8,), context_shape=(2,))
    return vae.distribution(torch.zeros(4, 2))


def convolutional():
    return pg.vae.conv_vae((1, 4, 4), 2, NormalElement("shared"), width=4).distribution()


DISTRIBUTIONS = {
    "mlp_vae": DistributionCase(mlp),
    "conv_vae": DistributionCase(convolutional),
    "mlp_vae(context)": DistributionCase(conditional),
}
