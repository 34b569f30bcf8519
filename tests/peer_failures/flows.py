"""The three kinds of flow on which the peers were measured, and what the tests ask of them."""

import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.testing import REGIMES
from probgen.flows import masked_autoregressive_flow, neural_spline_autoregressive, neural_spline_coupling

KINDS = {
    "spline coupling": neural_spline_coupling,
    "affine autoregressive": masked_autoregressive_flow,
    "spline autoregressive": neural_spline_autoregressive,
}


def flow(kind, features=4, *, layers=4, hidden=(32, 32), regime="as_built", **options):
    """A flow of that kind."""
    return REGIMES[regime].apply(KINDS[kind](features, layers=layers, hidden=hidden, **options))


def law(bijector, features=4):
    """The flow on a standard normal law."""
    return TransformedDistribution(standard_normal(features), bijector)


def step(module, x):
    """One step of gradient descent on the mean of -log p, large enough to be seen."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    (-law(module, x.shape[-1]).log_prob(x).mean()).backward()
    torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
