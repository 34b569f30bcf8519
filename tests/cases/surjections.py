"""Cases of the surjections: exact laws in the inference direction, bounds in the generative one."""

import pyro.distributions as dist
import torch
from pyro.distributions.transforms import OrderedTransform
from torch import nn

from probgen.distributions import Dequantized, StandardNormal, SurjectiveDistribution, SurjectiveLaw, standard_normal
from probgen.distributions.bijectors import Affine, LowerTriangular, Softplus
from probgen.distributions.elements import NetworkLaw, NormalElement
from probgen.distributions.surjections import (
    AbsoluteValue,
    Argmax,
    CategoricalColumn,
    ContinuousColumn,
    IntegerColumn,
    MaxPool,
    Rounding,
    Slice,
    Sort,
    StochasticLayer,
)
from probgen.distributions.testing import DistributionCase
from probgen.flows import mixed_table_flow


def gaussian(inputs, outputs):
    """A law of ``outputs`` normal numbers given ``inputs``."""
    return NetworkLaw(nn.Linear(inputs, 2 * outputs), NormalElement(), event_shape=(outputs,), input_shape=(inputs,))


class Signs(nn.Module):
    """Learned signs."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(0.5))

    def forward(self, v):
        return dist.Bernoulli(logits=self.slope * v)


def pooled_latent():
    return SurjectiveDistribution(standard_normal(1), [Affine(shape=(1,)), MaxPool((2,)).inv])


DISTRIBUTIONS = {
    "SurjectiveDistribution(bijector)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(2), LowerTriangular(2)),
    ),
    "SurjectiveDistribution(absolute value, inference)": DistributionCase(
        lambda: SurjectiveDistribution(dist.Exponential(torch.ones(())), AbsoluteValue().inv),
        reference=lambda: dist.Laplace(torch.zeros(()), 1.0),
    ),
    "SurjectiveDistribution(learned signs, inference)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(), [Affine(shape=()), Softplus(), AbsoluteValue(Signs()).inv]),
    ),
    "SurjectiveDistribution(sort, inference)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(2), [LowerTriangular(2), OrderedTransform(), Sort().inv]),
    ),
    "SurjectiveDistribution(slice, inference)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(1), [Affine(shape=(1,)), Slice(1, 1, gaussian(1, 1)).inv]),
    ),
    "SurjectiveDistribution(max-pool, inference)": DistributionCase(pooled_latent),
    "SurjectiveDistribution(rounding, inference)": DistributionCase(
        lambda: SurjectiveDistribution(dist.Categorical(logits=torch.tensor([0.3, -1.0, 0.5])), Rounding(levels=3).inv),
    ),
    "SurjectiveDistribution(argmax, inference)": DistributionCase(
        lambda: SurjectiveDistribution(dist.Categorical(logits=torch.tensor([0.3, -0.4])), Argmax(2, cell="gumbel").inv),
    ),
    "SurjectiveDistribution(threshold, inference)": DistributionCase(
        lambda: SurjectiveDistribution(dist.Categorical(logits=torch.tensor([0.3, -0.4])), Argmax(2, gaussian_of_code).inv),
    ),
    "SurjectiveDistribution(slice, generative)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(3), [LowerTriangular(3), Slice(2, 1, gaussian(2, 1))])
    ),
    "SurjectiveDistribution(absolute value, generative)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(2), [LowerTriangular(2), AbsoluteValue()])
    ),
    "SurjectiveDistribution(sort, generative)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(3), [LowerTriangular(3), Sort()])
    ),
    "SurjectiveDistribution(max-pool, generative)": DistributionCase(
        lambda: SurjectiveDistribution(StandardNormal((2, 4, 4)), [Affine(shape=(4, 4)), MaxPool((2, 2))])
    ),
    "SurjectiveDistribution(rounding, generative)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(2), LowerTriangular(2) >> Rounding())
    ),
    "SurjectiveDistribution(argmax, generative)": DistributionCase(
        lambda: SurjectiveDistribution(StandardNormal((2, 3)), Argmax(3))
    ),
    "SurjectiveDistribution(stochastic layer)": DistributionCase(
        lambda: SurjectiveDistribution(standard_normal(2), StochasticLayer(gaussian(2, 3), gaussian(3, 2), (2,), (3,)))
    ),
    "SurjectiveLaw(mixed table)": DistributionCase(
        lambda: mixed_table_flow(
            [ContinuousColumn(1.0, 2.0), IntegerColumn(5.0, 1.0, low=3, high=8), CategoricalColumn(3)],
            layers=2,
            bins=4,
            hidden=(8,),
            guide_hidden=(8,),
        )()
    ),
    "SurjectiveLaw": DistributionCase(lambda: SurjectiveLaw(standard_normal(2), [LowerTriangular(2), Rounding()])()),
    "Dequantized(vector, noise)": DistributionCase(
        lambda: Dequantized(StandardNormal((2,)), noise=uniform_noise),
    ),
}


def gaussian_of_code(v):
    """Normal coordinates that depend on the category."""
    loc = torch.stack([v, -v], -1)
    return dist.Normal(loc, torch.ones_like(loc)).to_event(1)


def uniform_noise(x):
    """Uniform noise as a law."""
    return dist.Uniform(torch.zeros_like(x), torch.ones_like(x)).to_event(1)
