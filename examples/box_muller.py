r"""Box–Muller as a bijector: two uniforms become two independent normals.

With u in (0, 1)^2, the map y = sqrt(-2 log u_1) (cos 2 pi u_2, sin 2 pi u_2) has |det J| = 2 pi / u_1, and since
u_1 = exp(-|y|^2 / 2), the change of variables gives p(y) = u_1 / (2 pi) = N(y; 0, I) exactly. A random number generator is a
transformed distribution. Here the map is built from the library's pieces and one new bijector, polar coordinates.
"""

from __future__ import annotations

import argparse
import math

import torch
from torch.distributions import constraints

from probgen.distributions import TransformedDistribution, standard_normal, standard_uniform
from probgen.distributions.bijectors import Bijector
from probgen.distributions.testing import check_bijector


class BoxMuller(Bijector):
    """(0, 1)^2 to the plane."""

    domain = constraints.independent(constraints.unit_interval, 1)
    codomain = constraints.independent(constraints.real, 1)
    domain_shape = (2,)

    def _forward_and_log_det(self, x, context=None):
        u, turn = x.unbind(-1)
        radius = (-2 * u.log()).sqrt()
        angle = 2 * math.pi * turn
        y = torch.stack([radius * angle.cos(), radius * angle.sin()], -1)
        return y, math.log(2 * math.pi) - u.log()

    def _inverse_and_log_det(self, y, context=None):
        half_square = 0.5 * y.square().sum(-1)
        turn = torch.atan2(y[..., 1], y[..., 0]) / (2 * math.pi)
        x = torch.stack([(-half_square).exp(), turn - turn.floor()], -1)
        return x, -math.log(2 * math.pi) - half_square


def main(argv: list[str] | None = None) -> float:
    """Check the bijector by law, compare densities with the normal law, sample; return the largest difference in nats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="fewer draws and laws")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    laws = ("round_trip", "log_det_matches_autograd")
    report = check_bijector(BoxMuller, event_shape=(2,), laws=laws)
    print(f"laws hold: {report.passed}")
    normal = TransformedDistribution(standard_uniform(2), BoxMuller())
    y = normal.sample((1000 if options.smoke else 1_000_000,))
    difference = float((normal.log_prob(y) - standard_normal(2).log_prob(y)).abs().max())
    print(f"largest |log p - log N(0, I)| over {len(y)} draws: {difference:.1e} nats")
    print(f"mean {y.mean(0).tolist()}, variance {y.var(0).tolist()}")
    return difference


if __name__ == "__main__":
    main()
