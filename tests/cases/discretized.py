"""Cases of the discretized laws: plain, over a batch of locations and scales, and as a mixture."""

import torch

from probgen.distributions import DiscretizedLogistic, DiscretizedNormal, Mixture, Quantization
from probgen.distributions.testing import DistributionCase

COARSE = Quantization(6, -1.0, 2.0)
BYTES = Quantization(256, -1.0, 1.0)


class NormalBins(torch.distributions.Categorical):
    """The reference: differences of torch's distribution function, over the indices of the bins."""

    def __init__(self, loc, scale, quantization):
        self.quantization = quantization
        edges = torch.arange(1, quantization.levels, dtype=torch.float64) * quantization.width + quantization.lowest_edge
        inner = torch.special.ndtr((edges - loc) / scale)
        ends = torch.zeros(1, dtype=torch.float64)
        super().__init__(probs=torch.diff(torch.cat([ends, inner, ends + 1])))

    def log_prob(self, value):
        return super().log_prob(self.quantization.encode(value))


DISTRIBUTIONS = {
    "DiscretizedNormal": DistributionCase(
        lambda: DiscretizedNormal(torch.tensor(0.3), 0.7, COARSE), reference=lambda: NormalBins(0.3, 0.7, COARSE)
    ),
    "DiscretizedNormal(batch)": DistributionCase(
        lambda: DiscretizedNormal(torch.tensor([-0.9, 0.2, 3.0]), torch.tensor([0.02, 0.4, 1.0]), BYTES)
    ),
    "DiscretizedLogistic": DistributionCase(lambda: DiscretizedLogistic(torch.tensor(0.3), 0.4, COARSE)),
    "DiscretizedLogistic(batch)": DistributionCase(
        lambda: DiscretizedLogistic(torch.tensor([-0.9, 0.2, 3.0]), torch.tensor([0.02, 0.4, 1.0]), BYTES)
    ),
    "Mixture(discretized)": DistributionCase(
        lambda: Mixture(
            [DiscretizedNormal(torch.linspace(-1, 2, 8), 0.2, COARSE), DiscretizedLogistic(torch.tensor(1.0), 0.1, COARSE)],
            torch.tensor([0.3, 0.0]),
        )
    ),
}
