"""Cases of conditioned diffusion models and cascades."""

import torch

from probgen.diffusion.conditioning import (
    Cascade,
    DiffusionPosteriorSampling,
    ExactConditional,
    LinearObservation,
    Masking,
    MatrixOperator,
    MomentMatched,
    NullSpace,
    RePaint,
    Replacement,
    TwistedMonteCarlo,
)
from probgen.distributions import standard_normal
from probgen.distributions.chains import GaussianChain, GaussianDenoiser, TimeGrid, cosine_schedule
from probgen.distributions.testing import DistributionCase


def _chain(steps=4):
    return GaussianChain(GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor([1.0, 0.5])), TimeGrid(steps))


def _seen(noise=0.0):
    return LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])), noise)


def _doubled(x):
    return x.repeat_interleave(2, -1)


DISTRIBUTIONS = {
    "ExactConditional": DistributionCase(lambda: ExactConditional(_chain(), _seen(0.5))),
    "ExactConditional(sum)": DistributionCase(
        lambda: ExactConditional(_chain(), LinearObservation(torch.ones(3, 1), MatrixOperator(torch.ones(1, 2)), 0.3))
    ),
    "TwistedMonteCarlo": DistributionCase(lambda: TwistedMonteCarlo(_chain(), _seen(), particles=8)),
    "MomentMatched": DistributionCase(lambda: MomentMatched(_chain(), _seen())),
    "NullSpace": DistributionCase(lambda: NullSpace(_chain(), _seen())),
    "RePaint": DistributionCase(lambda: RePaint(_chain(), _seen())),
    "Replacement": DistributionCase(lambda: Replacement(_chain(), _seen())),
    "DiffusionPosteriorSampling": DistributionCase(lambda: DiffusionPosteriorSampling(_chain(), _seen())),
    "Cascade": DistributionCase(lambda: Cascade(standard_normal((2,)), [_doubled, _doubled], event_shape=(8,))),
}
