"""A flow on the simplex: proportions of three parts, with a correct support, fitted to a mixture of Dirichlet laws."""

from __future__ import annotations

import argparse

import pyro
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule
from torch.distributions import constraints

import probgen as pg
from probgen.data import Batches
from probgen.distributions import flow_on


class Proportions(PyroModule):
    """x ~ a flow whose draws are positive and sum to one."""

    def __init__(self):
        super().__init__()
        self.bijector = pg.flows.neural_spline_coupling(features=2, layers=4, hidden=(64, 64))

    def law(self):
        """The distribution at the site."""
        return flow_on(constraints.simplex, self.bijector, event_shape=(3,))

    def forward(self, x):
        """The Pyro program."""
        with pyro.plate("data", len(x)):
            return pyro.sample("x", self.law(), obs=x)


def main(argv: list[str] | None = None) -> float:
    """Train; print the divergence from the truth; return it in nats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    truth = dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([0.6, 0.4])), dist.Dirichlet(torch.tensor([[12.0, 6.0, 3.0], [3.0, 5.0, 20.0]]))
    )
    model = Proportions()
    steps = 10 if options.smoke else 800
    pg.infer.fit(
        pg.infer.ELBO()(model),
        Batches(truth.sample((10_000,)), 250),
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3, fused=True),
        steps=steps,
        progress=not options.smoke,
    )
    x = truth.sample((4000,))
    with torch.no_grad():
        divergence = float((truth.log_prob(x) - model.law().log_prob(x)).mean())
        draws = model.law().sample((3,))
    print(f"support: {model.law().support}; KL(truth || flow) = {divergence:.3f} nats")
    print("\n".join("  ".join(f"{part:.3f}" for part in draw) + f"   sum {sum(draw):.3f}" for draw in draws.tolist()))
    return divergence


if __name__ == "__main__":
    main()
