"""Cases of bijectors with a bound context."""

import torch
from torch import nn

from probgen.distributions.bijectors import Affine, ConditionalElementwise
from probgen.distributions.testing import BijectorCase

BIJECTORS = {
    "Conditioned": BijectorCase(
        lambda: ConditionalElementwise(Affine(), nn.Linear(2, 2), context_shape=(2,)).condition(torch.tensor([0.5, -1.0]))
    ),
}
