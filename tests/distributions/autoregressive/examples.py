"""Laws that several tests of this folder use."""

import torch
from torch import nn

from probgen.distributions import Autoregressive, OneHotEmbedding
from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.elements import BernoulliElement, CategoricalElement
from probgen.nn import MADE

MIXED = (4, 0, 8, 2, 6, 1, 3, 5, 7)


def binary(order=MIXED, seed=0, context=0, adjacency=None, std=1.5):
    """Nine pixels that depend strongly on each other, visited in any order."""
    torch.manual_seed(seed)
    order = None if adjacency is not None else order
    network = MADE(9, 1, hidden=(24,), order=order, adjacency=adjacency, context_features=context)
    for layer in network.layers:
        nn.init.normal_(layer.weight, std=std)
    return Autoregressive(network.double(), (3, 3), BernoulliElement())


def two_levels():
    """Three pixels, then six that are independent given those."""
    adjacency = torch.zeros(9, 9, dtype=torch.bool)
    first, second = [1, 4, 7], [0, 2, 3, 5, 6, 8]
    adjacency[torch.tensor(second)[:, None], torch.tensor(first)] = True
    return binary(adjacency=adjacency, std=3.0)


def codes(context=0, order=(2, 0, 3, 1)):
    """Four codes of three values, which enter as unit vectors."""
    torch.manual_seed(1)
    network = MADE(4, 3, num_inputs=3, hidden=(16,), order=order, context_features=context)
    for layer in network.layers:
        nn.init.normal_(layer.weight)
    return Autoregressive(network.double(), (4,), CategoricalElement(3), embedding=OneHotEmbedding(3))


class Walk(IncrementalNetwork):
    """The means of a linear chain: x_i around rho x_{i-1} + shift."""

    def __init__(self, features, rho, shift=0.0):
        super().__init__()
        self.features, self.num_outputs, self.shift = features, 1, shift
        self.rho = nn.Parameter(torch.tensor(rho, dtype=torch.float64))

    @property
    def levels(self):
        return tuple((k,) for k in range(self.features))

    def forward(self, values, context=None):
        return (self.rho * nn.functional.pad(values[..., :-1], (1, 0)) + self.shift).unsqueeze(-1)

    def init_state(self, batch_shape, context=None):
        return self.rho.new_zeros(*batch_shape, 0), self.rho.new_full((*batch_shape, 1, 1), self.shift)

    def step(self, state, values):
        return state, (self.rho * values + self.shift).unsqueeze(-1)


class Told(IncrementalNetwork):
    """Repeats its context, a logit for each position, so that bits can be told what to be."""

    def __init__(self, features):
        super().__init__()
        self.features, self.num_outputs, self.context_shape = features, 1, (features,)
        self.scale = nn.Parameter(torch.tensor(100.0))

    @property
    def levels(self):
        return tuple((k,) for k in range(self.features))

    def forward(self, values, context=None):
        return (self.scale * context).expand(*values.shape[:-1], -1).unsqueeze(-1)

    def init_state(self, batch_shape, context=None):
        logits = (self.scale * context).expand(*batch_shape, -1)
        return logits[..., 1:], logits[..., :1].unsqueeze(-1)

    def step(self, state, values):
        return state[..., 1:], state[..., :1].unsqueeze(-1)


def number(draws):
    """Binary events ``[n, ...]`` as integers."""
    bits = draws.flatten(1).long()
    return (bits * 2 ** torch.arange(bits.shape[1] - 1, -1, -1)).sum(-1)


def consistent(states, x, mask):
    """Which of all states have the observed values."""
    return ((states == x) | ~mask).flatten(1).all(1)
