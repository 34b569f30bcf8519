"""Cases of autoregressive laws: binary, categorical with a context, real."""

import torch
from torch import nn

from probgen.distributions import Autoregressive, OneHotEmbedding
from probgen.distributions.elements import BernoulliElement, CategoricalElement, NormalElement
from probgen.distributions.testing import DistributionCase
from probgen.nn import MADE


def categorical() -> Autoregressive:
    """Two positions of three codes, which enter as unit vectors, and a bound context."""
    network = MADE(2, 3, num_inputs=3, hidden=(12,), order=(1, 0), context_features=2, activation=nn.Tanh)
    law = Autoregressive(network, (2,), CategoricalElement(3), embedding=OneHotEmbedding(3))
    return law.condition(torch.tensor([[0.5, -1.0], [0.0, 1.0]]))


DISTRIBUTIONS = {
    "Autoregressive(binary)": DistributionCase(
        lambda: Autoregressive(MADE(4, 1, hidden=(8,), order=(2, 0, 3, 1)), (2, 2), BernoulliElement())
    ),
    "Autoregressive(categorical, context)": DistributionCase(categorical),
    "Autoregressive(normal)": DistributionCase(
        lambda: Autoregressive(MADE(3, 2, hidden=(8,), activation=nn.Tanh), (3,), NormalElement())
    ),
}
