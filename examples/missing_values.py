"""Missing values: the likelihood of what was observed, and imputation of the rest, from a flow fitted to complete data.

In the plane the truth can be had by integration on a grid, so both answers are checked.
"""

from __future__ import annotations

import argparse
import math

import pyro
import torch
from pyro.nn import PyroModule

import probgen as pg
from probgen.data import Batches
from probgen.data.toys import two_moons
from probgen.distributions import TransformedDistribution, impute, observed_log_prob, standard_normal
from probgen.plot import table


class Plane(PyroModule):
    """x ~ a spline flow in the plane."""

    def __init__(self):
        super().__init__()
        self.bijector = pg.flows.neural_spline_coupling(features=2, layers=6, hidden=(64, 64))

    def law(self):
        """The distribution at the site."""
        return TransformedDistribution(standard_normal(2), self.bijector)

    def forward(self, x):
        """The Pyro program."""
        with pyro.plate("data", len(x)):
            return pyro.sample("x", self.law(), obs=x)


def main(argv: list[str] | None = None) -> float:
    """Train, drop the second coordinate, compare with integration; return the largest error of log p(x_1) in nats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    model = Plane()
    steps = 10 if options.smoke else 1000
    pg.infer.fit(
        pg.infer.ELBO()(model),
        Batches(two_moons().sample((20_000,)), 500),
        lambda parameters: torch.optim.Adam(parameters, lr=3e-3, fused=True),
        steps=steps,
        progress=not options.smoke,
    )
    law = model.law()
    first = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0])
    data = torch.stack([first, torch.full_like(first, math.nan)], -1)
    grid = torch.linspace(-6, 6, 4001)
    with torch.no_grad():
        points = torch.stack([first[:, None].expand(-1, len(grid)), grid.expand(len(first), -1)], -1)
        joint = law.log_prob(points)
        exact = joint.logsumexp(-1) + math.log(float(grid[1] - grid[0]))
        mean = (joint.softmax(-1) * grid).sum(-1)
        estimate = observed_log_prob(law, data, num_draws=4096)
        filled = impute(law, data, num_samples=1000, num_proposals=4096)[..., 1].mean(0)
    rows = [
        [f"{x:+.1f}", *(f"{v:+.3f}" for v in row)]
        for x, row in zip(first.tolist(), torch.stack([exact, estimate.value, mean, filled], -1).tolist(), strict=True)
    ]
    print(table(["x_1", "log p(x_1), grid", "by draws", "E[x_2 | x_1], grid", "by imputation"], rows))
    return float((exact - estimate.value).abs().max())


if __name__ == "__main__":
    main()
