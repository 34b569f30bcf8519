"""Cases of the laws that elements make: levels with free masses, gray values, mixtures of dependent colors, grids of pixels."""

import pyro.distributions as dist
import torch

from probgen.distributions import CategoricalLevels, ContinuousBernoulli, DiscretizedLogisticMixture, Quantization
from probgen.distributions.elements import ElementGrid
from probgen.distributions.testing import DistributionCase

DOZEN = Quantization(12, -1.0, 10.0)
TWO_BITS = Quantization(4, -1.0, 1.0)


def colors(levels, *batch, channels=3):
    """A mixture of three components of dependent colors."""
    pairs = channels * (channels - 1) // 2
    shape = (*batch, 3, channels)
    return DiscretizedLogisticMixture(
        torch.randn(*batch, 3),
        torch.randn(shape),
        0.1 + torch.rand(shape),
        levels,
        coefficients=torch.randn(*batch, 3, pairs),
    )


DISTRIBUTIONS = {
    "CategoricalLevels": DistributionCase(lambda: CategoricalLevels(torch.linspace(-1, 1, 12), DOZEN)),
    "CategoricalLevels(batch)": DistributionCase(lambda: CategoricalLevels(torch.randn(3, 12), DOZEN)),
    "ContinuousBernoulli": DistributionCase(
        lambda: ContinuousBernoulli(torch.tensor(1.3)), reference=lambda: dist.ContinuousBernoulli(logits=torch.tensor(1.3))
    ),
    "ContinuousBernoulli(batch)": DistributionCase(lambda: ContinuousBernoulli(torch.tensor([-6.0, 0.0, 0.1, 9.0]))),
    "DiscretizedLogisticMixture": DistributionCase(lambda: colors(TWO_BITS)),
    "DiscretizedLogisticMixture(batch)": DistributionCase(lambda: colors(Quantization(3, 0.0, 2.0), 2, channels=2)),
    "DiscretizedLogisticMixture(gray)": DistributionCase(lambda: colors(DOZEN, channels=1)),
    "ElementGrid": DistributionCase(lambda: ElementGrid(colors(TWO_BITS, 2, 2, 3), 2)),
    "ElementGrid(normal)": DistributionCase(lambda: ElementGrid(dist.Normal(torch.randn(3, 2, 4), 0.7).to_event(1), 1)),
}
