"""Cases of the diffusion chains: laws of the data given a noisy state, of whole paths, and of the noise itself."""

import pyro.distributions as dist
import torch

from probgen.distributions.chains import (
    Denoised,
    ForwardChain,
    GaussianChain,
    GaussianDenoiser,
    GaussianProcess,
    IsotropicNormal,
    LearnedVariance,
    MixtureDenoiser,
    NetworkDenoiser,
    NormalDecoder,
    TimeGrid,
    UnitPrior,
    WithoutDivergence,
    cosine_schedule,
    edm_schedule,
    linear_schedule,
)
from probgen.distributions.testing import DistributionCase
from tests.cases.networks import TinyDenoisingNetwork

SCHEDULE = linear_schedule(4, 0.05, 0.5)


def gaussian_oracle(schedule=SCHEDULE):
    return GaussianDenoiser(schedule, torch.tensor([1.0, -0.5]), torch.tensor([0.25, 2.0]))


def mixture_oracle():
    covariances = torch.tensor([[[0.2, 0.1], [0.1, 0.3]], [[0.5, 0.0], [0.0, 0.1]]])
    return MixtureDenoiser(SCHEDULE, torch.tensor([0.3, -0.3]), torch.tensor([[-1.0, 0.0], [1.0, 0.5]]), covariances)


def network_denoiser(out_features=2, context_shape=None, **options):
    network = TinyDenoisingNetwork(2, out_features, context_shape=context_shape)
    return NetworkDenoiser(network, cosine_schedule(), (2,), **options)


def denoised(law):
    return Denoised(law, torch.tensor([[0.5, -1.0], [2.0, 0.0]]), SCHEDULE.level(0.5))


def states():
    return torch.linspace(-1.0, 1.0, 6).reshape(3, 2)


def learned_law():
    with torch.no_grad():  # what hangs on a graph can be neither copied nor pickled
        return network_denoiser(4, spread=LearnedVariance())(states(), torch.tensor([0.2, 0.5, 1.0]))


DISTRIBUTIONS = {
    "IsotropicNormal": DistributionCase(
        lambda: IsotropicNormal((), scale=80.0), reference=lambda: dist.Normal(torch.zeros(()), 80.0)
    ),
    "IsotropicNormal(image)": DistributionCase(lambda: IsotropicNormal((1, 2), scale=0.5)),
    "Denoised(normal)": DistributionCase(lambda: denoised(dist.Normal(torch.ones(2, 2), 0.3).to_event(1))),
    "Denoised(multivariate normal)": DistributionCase(
        lambda: denoised(dist.MultivariateNormal(torch.ones(2, 2), torch.tensor([[1.0, 0.5], [0.5, 2.0]])))
    ),
    "Denoised(mixture)": DistributionCase(lambda: mixture_oracle()(states(), 0.5)),
    "Denoised(network)": DistributionCase(learned_law),
    "WithoutDivergence": DistributionCase(
        lambda: WithoutDivergence(dist.Normal(torch.ones(3), 2.0)), reference=lambda: dist.Normal(torch.ones(3), 2.0)
    ),
    "ForwardChain": DistributionCase(lambda: ForwardChain(GaussianProcess(SCHEDULE, (2,)), TimeGrid(4), states())),
    "ForwardChain(scalar)": DistributionCase(
        lambda: ForwardChain(GaussianProcess(edm_schedule(2.0, 2.0), ()), TimeGrid(3), torch.tensor(0.7))
    ),
    "GaussianChain(Gaussian)": DistributionCase(lambda: GaussianChain(gaussian_oracle(), TimeGrid(4))),
    "GaussianChain(EDM)": DistributionCase(lambda: GaussianChain(gaussian_oracle(edm_schedule(5.0, 2.0)), TimeGrid(3))),
    "GaussianChain(mixture)": DistributionCase(lambda: GaussianChain(mixture_oracle(), TimeGrid(4))),
    "GaussianChain(network)": DistributionCase(lambda: GaussianChain(network_denoiser(), TimeGrid(3))),
    "GaussianChain(context)": DistributionCase(
        lambda: GaussianChain(
            network_denoiser(context_shape=(1,), parameterization="edm", data_std=0.5, spread=UnitPrior(0.25)),
            TimeGrid(3),
            decoder=NormalDecoder(0.2),
            context=torch.tensor([[-1.0], [1.0]]),
        )
    ),
}
