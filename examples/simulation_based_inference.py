"""Posteriors from a simulator alone: a conditional flow, one pass for any data, checked by simulation-based calibration.

The law of g-and-k, known by its quantile function only: location, scale, skewness and tails of a sample of 250 numbers.
"""

from __future__ import annotations

import argparse
import time

import torch

import probgen as pg
from probgen.data import Batches
from probgen.distributions import TransformedLaw, standard_normal
from probgen.distributions.bijectors import EmbeddedContext
from probgen.metrics import RankCalibration, simulation_based_calibration

LOW, HIGH = torch.tensor([0.0, 0.1, 0.0, 0.0]), torch.tensor([5.0, 3.0, 3.0, 1.0])
NAMES = ("location", "scale", "skewness", "tails")


def simulate(number: int, size: int = 250) -> tuple[torch.Tensor, torch.Tensor]:
    """Parameters ``[n, 4]`` as unconstrained numbers, and sorted samples ``[n, size]``."""
    share = torch.rand(number, 4)
    location, scale, skewness, tails = (LOW + (HIGH - LOW) * share).unsqueeze(1).unbind(-1)
    z = torch.randn(number, size)
    sample = location + scale * (1 + 0.8 * torch.tanh(skewness * z / 2)) * (1 + z * z) ** tails * z
    return share.logit(eps=1e-6), sample.sort(1).values


def parameters_of(numbers: torch.Tensor) -> torch.Tensor:
    """In their own units."""
    return LOW + (HIGH - LOW) * numbers.sigmoid()


class Quantiles(torch.nn.Module):
    """From sorted samples to a short summary: the tails are long, so they are seen on a logarithmic scale."""

    def __init__(self, size: int = 250):
        super().__init__()
        self.net = pg.nn.MLP(size, 16, hidden=(128,))

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        """Samples ``[n, size]`` to ``[n, 16]``."""
        return self.net(torch.asinh(sample))


def main(argv: list[str] | None = None) -> RankCalibration:
    """Train, check, print; return the calibration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    steps, number = (5, 64) if options.smoke else (3000, 40_000)
    start = time.process_time()
    flow = pg.flows.neural_spline_coupling(4, context_shape=(16,), layers=4, hidden=(64, 64))
    law = TransformedLaw(standard_normal(4), EmbeddedContext(flow, Quantiles(), (250,)))
    pg.infer.fit(
        pg.infer.MaximumLikelihood(law),
        Batches(simulate(number), min(256, number), seed=0),
        lambda parameters: torch.optim.Adam(parameters, 1e-3, fused=True),
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        steps=steps,
        clip_norm=5.0,
        progress=not options.smoke,
    )
    law.eval().requires_grad_(requires_grad=False)
    print(f"{time.process_time() - start:.0f} seconds of training")
    truth, samples = simulate(50 if options.smoke else 1000)
    calibration = simulation_based_calibration(
        truth,
        samples,
        lambda x: law(x).sample((99,)),
        quantities=lambda theta, x: torch.cat([theta, law(x).log_prob(theta)[..., None]], -1),
    )
    print(calibration)
    print(f"regions of 90 % hold the truth in {calibration.coverage(0.9, 'upper')[-1]} of the simulations")
    draws = parameters_of(law(samples[:1]).sample((1000,))[:, 0])
    for name, true, mean, spread in zip(NAMES, parameters_of(truth[0]), draws.mean(0), draws.std(0), strict=True):
        print(f"{name:9s} {true:.2f}, posterior {mean:.2f} ± {spread:.2f}")
    return calibration


if __name__ == "__main__":
    main()
