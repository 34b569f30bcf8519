"""Cases of the laws that elements make: levels with free masses."""

import torch

from probgen.distributions import CategoricalLevels, Quantization
from probgen.distributions.testing import DistributionCase

FEW = Quantization(12, -1.0, 10.0)

DISTRIBUTIONS = {
    "CategoricalLevels": DistributionCase(lambda: CategoricalLevels(torch.linspace(-1, 1, 12), FEW)),
    "CategoricalLevels(batch)": DistributionCase(lambda: CategoricalLevels(torch.randn(3, 12), FEW)),
}
