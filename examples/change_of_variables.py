"""Change of variables: histograms of mapped uniform numbers against the densities that two bijectors give.

python examples/change_of_variables.py            a million draws
python examples/change_of_variables.py --smoke    ten thousand

On the line: the uniform law under y = 2x + 1, which increases, and under y = 1 - x^2, which decreases. In the plane: the unit
square under a matrix, whose image is a parallelogram of area |ad - bc|, also where ad - bc is negative.
"""

from __future__ import annotations

import argparse
import math

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions import TransformedDistribution, standard_uniform
from probgen.distributions.bijectors import Affine, Bijector

MATRICES = {"turning left": ((2.0, 0.5), (0.3, 1.0)), "turning right": ((0.5, 2.0), (1.0, 0.3))}


class Falling(Bijector):
    """y = 1 - x^2 on (0, 1): a map that decreases."""

    domain = codomain = constraints.unit_interval
    sign = -1

    def _forward_and_log_det(self, x, context=None):
        return 1 - x.square(), (2 * x).log()

    def _inverse_and_log_det(self, y, context=None):
        x = (1 - y).sqrt()
        return x, -(2 * x).log()


class Matrix(Bijector):
    """y = A x on the plane: log|det J| = log|ad - bc| everywhere."""

    domain = codomain = constraints.real_vector

    def __init__(self, a: Tensor) -> None:
        super().__init__()
        self.register_buffer("a", a)

    def _forward_and_log_det(self, x, context=None):
        return x @ self.a.T, torch.linalg.slogdet(self.a).logabsdet.expand(x.shape[:-1])

    def _inverse_and_log_det(self, y, context=None):
        return torch.linalg.solve(self.a, y[..., None])[..., 0], -torch.linalg.slogdet(self.a).logabsdet.expand(y.shape[:-1])


def line(name: str, bijector: Bijector, interval: tuple[float, float], draws: int) -> float:
    """The largest difference of a bin's share of draws and the integral of the density over it, in standard errors."""
    law = TransformedDistribution(standard_uniform(), bijector)
    edges = torch.linspace(*interval, 21, dtype=torch.float64)
    share = torch.histc(law.sample((draws,)).double(), 20, *interval) / draws
    fine = (edges[:-1, None] + (edges[1] - edges[0]) * (torch.arange(2000) + 0.5) / 2000).clamp(*interval)
    mass = law.log_prob(fine).exp().mean(1) * (edges[1] - edges[0])
    worst = float(((share - mass).abs() / (mass * (1 - mass) / draws).sqrt()).max())
    density = law.log_prob(edges[[5, 15]]).exp().tolist()
    print(
        f"{name}: density {density[0]:.3f} and {density[1]:.3f} at the quarters; worst bin off by {worst:.1f} standard errors"
    )
    return worst


def plane(name: str, rows: tuple[tuple[float, float], ...], draws: int) -> float:
    """The mass of the density on its support, as the area of the parallelogram counted by draws of a box around it."""
    a = torch.tensor(rows)
    law = TransformedDistribution(standard_uniform(2), Matrix(a))
    box = a.sum(1) * torch.rand(draws, 2)
    inside = ((torch.linalg.solve(a, box.T) > 0) & (torch.linalg.solve(a, box.T) < 1)).all(0)
    area = float(inside.float().mean() * a.sum(1).prod())
    density = float(law.log_prob(a @ torch.tensor([0.3, 0.6])).exp())
    print(f"{name}: ad - bc = {float(torch.linalg.det(a)):+.2f}, area by counting {area:.3f}, density {density:.3f}")
    return area * density


def main(argv: list[str] | None = None) -> tuple[float, float]:
    """Print the comparisons; return the worst bin on the line and the worst mass in the plane."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="fewer draws")
    draws = 10_000 if parser.parse_args(argv).smoke else 1_000_000
    torch.manual_seed(0)
    worst = max(
        line("y = 2x + 1 ", Affine(loc=1.0, scale=2.0), (1.0, 3.0), draws),
        line("y = 1 - x^2", Falling(), (0.0, 1.0), draws),
    )
    masses = [plane(name, rows, draws) for name, rows in MATRICES.items()]
    return worst, max(masses, key=lambda mass: abs(math.log(mass)))


if __name__ == "__main__":
    main()
