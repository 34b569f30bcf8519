"""Cases of the elementwise bijectors that are inverted numerically."""

import torch

from probgen.distributions.bijectors import Bernstein, MixtureOfLogisticsCDF, SumOfSquares
from probgen.distributions.testing import BijectorCase

BIJECTORS = {
    "MixtureOfLogisticsCDF": BijectorCase(lambda: MixtureOfLogisticsCDF(4, shape=(3,))),
    "MixtureOfLogisticsCDF(given)": BijectorCase(
        lambda: MixtureOfLogisticsCDF(
            2, weights=torch.tensor([0.3, 0.7]), locations=torch.tensor([-3.0, 2.0]), widths=torch.tensor([0.2, 1.0]), loc=0.5
        )
    ),
    "Bernstein": BijectorCase(lambda: Bernstein(8, shape=(3,))),
    "SumOfSquares": BijectorCase(lambda: SumOfSquares(shape=(3,))),
}
