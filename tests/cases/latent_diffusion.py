"""Cases of latent diffusion: a law with a bound only."""

import pyro.distributions as dist
import torch

import probgen as pg
from probgen.distributions.testing import DistributionCase


class Linear(torch.nn.Module):
    """A linear map with unit noise, as a law."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x):
        return dist.Normal(self.linear(x), 1.0).to_event(1)


def law():
    chain = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), (2,), grid=3)
    return pg.diffusion.LatentDiffusion(Linear(3, 2), Linear(2, 3), chain, event_shape=(3,)).distribution()


DISTRIBUTIONS = {"LatentDiffusionLaw": DistributionCase(law)}
