"""Cases of latent-variable models whose marginal law is known."""

import pyro.distributions as dist
import torch

from probgen.distributions import LatentVariable, standard_normal
from probgen.distributions.latent import ProbabilisticPCA
from probgen.distributions.testing import DistributionCase

LOADINGS = ((1.0, 0.3), (-0.5, 0.8), (0.2, 0.0))


def principal_components():
    return ProbabilisticPCA(torch.tensor([0.5, -1.0, 0.0]), torch.tensor(LOADINGS), 0.3)


def normal_vector():
    """The marginal law of the former, by torch."""
    loadings = torch.tensor(LOADINGS)
    return dist.MultivariateNormal(torch.tensor([0.5, -1.0, 0.0]), loadings @ loadings.mT + 0.3 * torch.eye(3))


def decoder(z):
    return dist.Normal(z, 1.0)


def encoder(x):
    """Not the posterior, whose mean is x / 2 and whose variance is 1 / 2, but wide enough for weights with a variance."""
    return dist.Normal(0.3 * x, 0.9)


def vector_decoder(z):
    return decoder(z).to_event(1)


def vector_encoder(x):
    return encoder(x).to_event(1)


def scalar():
    """A standard normal latent, unit noise, and an encoder that is not the posterior."""
    return LatentVariable(standard_normal(), decoder, encoder)


def batched():
    """A batch of priors."""
    prior = dist.Normal(torch.tensor([-1.0, 0.0, 2.0]).unsqueeze(-1), 1.0).to_event(1)
    return LatentVariable(prior, vector_decoder, vector_encoder)


def loose():
    """The linear model with independent latents in its encoder, which the posterior's are not."""
    return principal_components().latent_variable(mean_field=True)


DISTRIBUTIONS = {
    "ProbabilisticPCA": DistributionCase(principal_components, reference=normal_vector),
    "LatentVariable": DistributionCase(scalar, reference=lambda: dist.Normal(torch.zeros(()), 2**0.5)),
    "LatentVariable(batch of priors)": DistributionCase(
        batched,
        reference=lambda: dist.Normal(torch.tensor([-1.0, 0.0, 2.0]).unsqueeze(-1), 2**0.5).to_event(1),
    ),
    "LatentVariable(linear)": DistributionCase(loose, reference=normal_vector),
}
