"""Cases of autoregressive laws: binary, categorical with a context, real; completions; changed conditionals."""

import torch
from torch import nn

from probgen.distributions import Autoregressive, OneHotEmbedding
from probgen.distributions.autoregressive import Completion
from probgen.distributions.elements import BernoulliElement, CategoricalElement, NormalElement
from probgen.distributions.testing import DistributionCase
from probgen.nn import MADE


def binary() -> Autoregressive:
    """Four pixels in a mixed order."""
    return Autoregressive(MADE(4, 1, hidden=(8,), order=(2, 0, 3, 1)), (2, 2), BernoulliElement())


def categorical() -> Autoregressive:
    """Two positions of three codes, which enter as unit vectors, and a bound context."""
    network = MADE(2, 3, num_inputs=3, hidden=(12,), order=(1, 0), context_features=2, activation=nn.Tanh)
    law = Autoregressive(network, (2,), CategoricalElement(3), embedding=OneHotEmbedding(3))
    return law.condition(torch.tensor([[0.5, -1.0], [0.0, 1.0]]))


def prefix() -> Completion:
    """The first code of two events is known, one of them out of order."""
    return categorical().given(torch.tensor([[0, 2], [0, 1]]), 1)


def any_positions() -> Completion:
    """Two pixels that are no prefix."""
    return binary().given(torch.ones(2, 2), torch.tensor([[False, True], [True, False]]), num_particles=8)


DISTRIBUTIONS = {
    "Autoregressive(binary)": DistributionCase(binary),
    "Autoregressive(categorical, context)": DistributionCase(categorical),
    "Autoregressive(normal)": DistributionCase(
        lambda: Autoregressive(MADE(3, 2, hidden=(8,), activation=nn.Tanh), (3,), NormalElement())
    ),
    "Autoregressive(tempered)": DistributionCase(lambda: binary().tempered(0.7)),
    "Autoregressive(top-k)": DistributionCase(lambda: categorical().top_k(2)),
    "Autoregressive(top-p)": DistributionCase(lambda: categorical().top_p(0.8)),
    "ExactCompletion": DistributionCase(prefix),
    "ParticleCompletion": DistributionCase(any_positions),
}
