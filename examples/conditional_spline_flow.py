"""A conditional spline flow, maximum likelihood, as a Pyro model: points on a circle, given their angle.

The law is known, p(x | y) = N((cos y, sin y), 0.1^2), so the fit is compared with the truth.
"""

from __future__ import annotations

import argparse

import pyro
import torch
from pyro.nn import PyroModule

import probgen as pg
from probgen.data import Batches
from probgen.distributions import TransformedDistribution, standard_normal


class Conditional(PyroModule):
    """p(x | y): a spline flow whose shape follows y."""

    def __init__(self):
        super().__init__()
        self.bijector = pg.flows.neural_spline_coupling(features=2, context_shape=(1,), layers=4, hidden=(64, 64))

    def forward(self, y, x=None):
        """The Pyro program."""
        with pyro.plate("data", len(y)):
            return pyro.sample("x", TransformedDistribution(standard_normal(2), self.bijector.condition(y)), obs=x)


def simulate(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Angles ``[n, 1]`` in (-1, 1) turns over pi, and points ``[n, 2]``."""
    y = 2 * torch.rand(n, 1) - 1
    return y, truth(y).sample()


def truth(y: torch.Tensor) -> torch.distributions.Distribution:
    """The law of x given y."""
    angle = torch.pi * y
    return torch.distributions.Independent(torch.distributions.Normal(torch.cat([angle.cos(), angle.sin()], -1), 0.1), 1)


def main(argv: list[str] | None = None) -> float:
    """Train, print the divergence from the truth and some draws; return the divergence in nats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    model = Conditional()
    batches = Batches(simulate(10_000), 250)
    steps = 10 if options.smoke else 1500
    pg.infer.fit(
        pg.infer.ELBO()(model),
        batches,
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        progress=not options.smoke,
    )
    y, x = simulate(4000)
    with torch.no_grad():
        law = TransformedDistribution(standard_normal(2), model.bijector.condition(y))
        divergence = float((truth(y).log_prob(x) - law.log_prob(x)).mean())
        draws = model(torch.tensor([[0.0], [0.5], [1.0]]))
    print(f"KL(truth || flow) = {divergence:.3f} nats")
    for angle, draw in zip(("0", "pi/2", "pi"), draws.tolist(), strict=True):
        print(f"a draw at angle {angle:>4}: ({draw[0]:+.2f}, {draw[1]:+.2f})")
    return divergence


if __name__ == "__main__":
    main()
