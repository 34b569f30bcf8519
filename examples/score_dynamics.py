"""From scores to draws: denoising score matching on a mixture whose density is known, and five ways to draw with the score.

python examples/score_dynamics.py            about a minute on one core
python examples/score_dynamics.py --smoke    seconds

One network learns the score of noisy points at all noise levels, for the variance-preserving and for the variance-exploding
process. Then: Langevin dynamics at one small noise level, annealed Langevin dynamics, the reverse-time stochastic equation,
and the probability flow; their draws by the energy test's distance to data, beside the same with the exact score. The
probability flow also gives log-densities, compared with the truth.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

import probgen as pg
from probgen.diffusion.samplers import ancestral, annealed_langevin, heun, predictor_corrector
from probgen.distributions import TransformedDistribution
from probgen.distributions.chains import (
    Denoiser,
    MixtureDenoiser,
    Schedule,
    TimeGrid,
    variance_exploding_schedule,
    variance_preserving_schedule,
)
from probgen.infer import EnergyDistance
from probgen.plot import table

MEANS, SHARES, SPREAD = ((-2.0, 0.0), (2.0, 1.0), (0.5, -2.0)), (0.2, 0.5, 0.3), 0.09
SCHEDULES = {
    "variance preserving": variance_preserving_schedule(),
    "variance exploding": variance_exploding_schedule(0.02, 8.0),
}


def oracle_of(schedule: Schedule) -> MixtureDenoiser:
    """The exact denoiser of three normal laws of unequal weight."""
    covariances = SPREAD * torch.eye(2).expand(3, 2, 2)
    return MixtureDenoiser(schedule, torch.tensor(SHARES).log(), torch.tensor(MEANS), covariances)


def trained(schedule: Schedule, data: torch.distributions.Distribution, steps: int) -> pg.diffusion.Diffusion:
    """A diffusion model trained by denoising score matching."""
    network = pg.nn.DenoisingMLP(2, hidden=(128, 128, 128))
    model = pg.diffusion.Diffusion(network, schedule, (2,), grid=100)
    batches = [data.sample((256,)) for _ in range(100)]
    pg.infer.fit(
        model.denoising_loss("v"),
        batches,
        lambda weights: torch.optim.Adam(weights, lr=2e-3, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps),
        progress=False,
        accelerator="cpu",
    )
    return model.eval()


def langevin(denoiser: Denoiser, start: Tensor, steps: int, *, time: float = 0.02, size: float = 0.01) -> Tensor:
    """Langevin dynamics with the score at one small noise level: x + h/2 score + sqrt(h) z."""
    x = start
    for _ in range(steps):
        x = x + size / 2 * denoiser(x, time).score + size**0.5 * torch.randn_like(x)
    return x


@torch.no_grad()
def draws(denoiser: Denoiser, prior: torch.distributions.Distribution, count: int, steps: int) -> dict[str, Tensor]:
    """Draws by every way, ``[count, 2]`` each."""
    schedule, start = denoiser.schedule, prior.sample((count,))
    grid = TimeGrid.log_snr(schedule, steps)
    few = TimeGrid.log_snr(schedule, max(steps // 5, 4))
    return {
        "Langevin, one level": langevin(denoiser, start, 2 * steps),
        "annealed Langevin": annealed_langevin(denoiser, few, steps_per_level=10)(start),
        "reverse-time SDE": ancestral(denoiser, grid)(start),
        "predictor and corrector": predictor_corrector(denoiser, grid)(start),
        "probability flow": heun(denoiser, few)(start),
    }


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train, draw, compare, print; return the mean error of log-densities by the probability flow, in nats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    smoke = parser.parse_args(argv).smoke
    torch.set_num_threads(1)
    torch.manual_seed(0)
    training, count, steps = (30, 200, 10) if smoke else (4000, 2000, 100)
    rows, errors, distance = [], {}, EnergyDistance()
    for name, schedule in SCHEDULES.items():
        oracle = oracle_of(schedule)
        data, fresh = oracle.data, oracle.data.sample((count,))
        model = trained(schedule, data, training)
        by_network = draws(model.denoiser, model.prior, count, steps)
        by_truth = draws(oracle, model.prior, count, steps)
        floor = float(distance.estimate(data.sample((count,)), fresh))
        for way, x in by_network.items():
            found = [f"{float(distance.estimate(fresh, points)):.4f}" for points in (x, by_truth[way])]
            rows.append([name, way, *found, f"{floor:.4f}"])
        x = data.sample((20 if smoke else 200,))
        log_prob = TransformedDistribution(model.prior, model.probability_flow()).log_prob(x).detach()
        errors[name] = float((log_prob - data.log_prob(x)).abs().mean())
    print(table(["process", "draws by", "energy distance", "with the exact score", "floor"], rows))
    print("log-density by the probability flow, mean error in nats:", {name: round(e, 3) for name, e in errors.items()})
    return errors


if __name__ == "__main__":
    main()
