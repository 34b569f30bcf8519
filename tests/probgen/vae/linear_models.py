"""Linear-Gaussian models whose diagnosis is known in closed form, as variational autoencoders with frozen networks."""

import math

import torch
from torch import nn

from probgen.distributions import standard_normal
from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.distributions.latent import ProbabilisticPCA
from probgen.vae import VAE


def exact_rows(eigenvalues, count=1500, seed=0):
    """Data whose empirical mean is zero and whose empirical covariance is exactly diagonal with these eigenvalues."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, len(eigenvalues), generator=generator, dtype=torch.float64)
    x = x - x.mean(0)
    factor = torch.linalg.cholesky(x.mT @ x / count)
    return torch.linalg.solve_triangular(factor, x.mT, upper=False).mT * torch.tensor(eigenvalues, dtype=torch.float64).sqrt()


def linear(matrix, offset=None):
    """A linear layer that computes ``x @ matrix.T + offset``."""
    layer = nn.Linear(matrix.shape[1], matrix.shape[0], dtype=torch.float64)
    layer.weight.data.copy_(matrix)
    layer.bias.data.copy_(torch.zeros(len(matrix)) if offset is None else offset)
    return layer


def linear_vae(model: ProbabilisticPCA, *, scale=1.0, shift=0.0):
    """The variational autoencoder of a linear-Gaussian model with centered data, its encoder the mean-field optimum.

    ``scale`` multiplies the encoder's standard deviations, ``shift`` is added to its means.
    """
    d, q = model.loadings.shape
    precision = model.loadings.mT @ model.loadings + model.noise_variance * torch.eye(q, dtype=torch.float64)
    gain = torch.linalg.solve(precision, model.loadings.mT)
    log_scale = 0.5 * (model.noise_variance / precision.diagonal()).log() + math.log(scale)
    encoder = linear(torch.cat([gain, torch.zeros_like(gain)]), torch.cat([torch.full((q,), shift).double(), log_scale]))
    return VAE(
        standard_normal(q),
        NetworkLaw(linear(model.loadings), NormalElement(float(model.noise_variance) ** 0.5), (d,), (q,)),
        NetworkLaw(encoder, NormalElement(), (q,), (d,)),
    ).double()
