"""Cases of implicit laws: with a bound context, truncated, on a manifold, corrected by a log-ratio in four ways."""

import functools
import math

import pyro.distributions as dist
import torch
from torch import nn

from probgen.distributions import ImplicitDistribution, ImplicitLaw, StandardNormal, standard_normal
from probgen.distributions.implicit import (
    IndependenceMetropolis,
    InjectiveDistribution,
    InjectiveLinear,
    LatentLangevin,
    RejectionDistribution,
    ResampledDistribution,
    StandardTruncatedNormal,
    truncated,
)
from probgen.distributions.testing import DistributionCase


class Joined(nn.Module):
    """A generator of two coordinates from noise and a context."""

    def __init__(self):
        super().__init__()
        self.network = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, z, context):
        return self.network(torch.cat([z, context], -1))


def narrower(x, rank):
    """Normal coordinates of scale 2 become those of scale 1, up to a constant."""
    ratio = -0.375 * x.square()
    return ratio.sum(tuple(range(-rank, 0))) if rank else ratio


ONE, SCALAR = functools.partial(narrower, rank=1), functools.partial(narrower, rank=0)


def line(**arguments):
    """A line in three dimensions."""
    return InjectiveDistribution(standard_normal(1), InjectiveLinear(torch.randn(3, 1), torch.randn(3)), (3,), **arguments)


def conditional():
    """A conditional generator, its context bound."""
    return ImplicitLaw(standard_normal(3), Joined(), (2,), context_shape=(2,))(torch.randn(4, 2))


def generated():
    """A generator of two coordinates."""
    return ImplicitDistribution(standard_normal(3), nn.Linear(3, 2), (2,))


def wide(*batch):
    """Two normal coordinates of scale 2."""
    return dist.Normal(torch.zeros(*batch, 2), 2.0).to_event(1)


def rejected():
    """The standard normal law, from one of scale 2, half of whose draws are accepted."""
    return RejectionDistribution(dist.Normal(torch.zeros(()), 2.0), SCALAR, 0.0, log_normalizer=-math.log(2))


DISTRIBUTIONS = {
    "ImplicitLaw(context)": DistributionCase(conditional),
    "ImplicitDistribution(truncated)": DistributionCase(lambda: truncated(generated(), 0.7)),
    "IndependenceMetropolis": DistributionCase(lambda: IndependenceMetropolis(generated(), ONE, num_steps=5)),
    "InjectiveDistribution": DistributionCase(line),
    "InjectiveDistribution(square)": DistributionCase(
        lambda: InjectiveDistribution(StandardNormal((2,), (3,)), InjectiveLinear(torch.randn(2, 2) + 3 * torch.eye(2)), (2,))
    ),
    "LatentLangevin": DistributionCase(lambda: LatentLangevin(generated(), ONE, num_steps=3, step_size=0.3)),
    "RejectionDistribution": DistributionCase(rejected, reference=lambda: dist.Normal(torch.zeros(()), 1.0)),
    "RejectionDistribution(batch)": DistributionCase(
        lambda: RejectionDistribution(wide(3), ONE, 0.0, log_normalizer=-2 * math.log(2))
    ),
    "RejectionDistribution(implicit)": DistributionCase(lambda: RejectionDistribution(generated(), ONE, 0.0)),
    "ResampledDistribution": DistributionCase(lambda: ResampledDistribution(generated(), ONE, num_proposals=4)),
    "ResampledDistribution(batch)": DistributionCase(lambda: ResampledDistribution(wide(3), ONE, num_proposals=4)),
    "StandardTruncatedNormal": DistributionCase(lambda: StandardTruncatedNormal((2,), threshold=1.5)),
    "StandardTruncatedNormal(scalar)": DistributionCase(lambda: StandardTruncatedNormal(threshold=0.5)),
}
