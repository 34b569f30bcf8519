"""Cases of the chains over integers: the joint law of a path, and what a denoiser says."""

import torch

from probgen.distributions.chains import (
    CategoricalChain,
    CategoricalDenoiser,
    CategoricalProcess,
    IndependentCategorical,
    IndependentValues,
    OrderedMasking,
    TimeGrid,
)
from probgen.distributions.testing import DistributionCase


class Logits(torch.nn.Module):
    """A small network of the one-hot states."""

    def __init__(self, values, states, size):
        super().__init__()
        self.values, self.states = values, states
        self.linear = torch.nn.Linear(states * size, values * size)

    def forward(self, x, log_snr, context=None):
        one_hot = torch.nn.functional.one_hot(x.flatten(1), self.states).flatten(1).to(self.linear.weight.dtype)
        return self.linear(one_hot).reshape(*x.shape, self.values)


def chain(kind, steps=3):
    process = CategoricalProcess(3, (2,), kind)
    return CategoricalChain(CategoricalDenoiser(Logits(3, process.states, 2), process), TimeGrid(steps))


def denoised():
    process = CategoricalProcess(3, (2,), "uniform")
    oracle = CategoricalDenoiser(IndependentValues(process, torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.2, 0.6]]).log()), process)
    return oracle(torch.tensor([[0, 1], [2, 2]]), 0.5)


DISTRIBUTIONS = {
    "CategoricalChain(uniform)": DistributionCase(lambda: chain("uniform", 2)),
    "CategoricalChain(absorbing)": DistributionCase(lambda: chain("absorbing", 2)),
    "CategoricalChain(gaussian)": DistributionCase(lambda: chain("gaussian", 2)),
    "CategoricalChain(in order)": DistributionCase(lambda: chain(OrderedMasking(3, (2,)), 2)),
    "IndependentCategorical": DistributionCase(
        lambda: IndependentCategorical(torch.tensor([0.5, -torch.inf, 0.0, -1.0]), 0),
        reference=lambda: torch.distributions.Categorical(logits=torch.tensor([0.5, -torch.inf, 0.0, -1.0])),
    ),
    "IndependentCategorical(vector)": DistributionCase(
        lambda: IndependentCategorical(torch.linspace(-1, 1, 18).reshape(3, 2, 3), 1)
    ),
    "CategoricalDenoised": DistributionCase(denoised),
}
