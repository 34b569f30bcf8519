"""Residual flows: moons by exact and by random log-determinants, then a table by random ones.

For the moons three trainings of the same flow are compared by their *exact* density: exact log-determinants, Russian roulette,
and a series cut after three terms, whose own number need not be its density. For a table (``--table``, from $PROBGEN_DATA)
normal noise of a tenth of a standard deviation is added to every row, at training and for the test, since a law of rounded
numbers has no density; a Gaussian is the baseline. At the end the flow is inverted: the error of the worst row.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

import probgen as pg
from probgen.data import DataNotFoundError, load_uci
from probgen.data.toys import two_moons
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Bijector
from probgen.plot import table

NOISE = 0.1
Draw = Callable[[int], Tensor]


def train(flow: Bijector, draw: Draw, seconds: float) -> tuple[int, float]:
    """Train for seconds of processor time; the learning rate falls to zero. Return steps and the last losses' mean."""
    batch = draw(1024)
    flow.initialize_from(batch)
    law = TransformedDistribution(standard_normal(batch.shape[-1]), flow, allow_estimate=True)
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3, fused=True)
    begin, spent, steps, average = time.process_time(), 0.0, 0, 0.0
    while spent < seconds:
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - spent / seconds)
        optimizer.zero_grad()
        loss = -law.log_prob(draw(256)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 10.0)
        optimizer.step()
        spent, steps = time.process_time() - begin, steps + 1
        average = loss.item() if steps == 1 else 0.98 * average + 0.02 * loss.item()
    return steps, -average


@torch.no_grad()
def inversion_error(flow: Bijector, x: Tensor) -> float:
    """The largest error of a coordinate after the way to the base and back, in units of the data."""
    return float((flow(flow.inverse(x)) - x).abs().max())


def moons(seconds: float, size: int) -> list[list[str]]:
    """Rows: training, what it said of itself, the exact density of its parameters, steps, error of the inverse."""
    law, rows = two_moons(), []
    torch.manual_seed(0)
    test = law.sample((size,))
    print(f"two moons; the law itself has {float(law.log_prob(test).mean()):.3f} nats")
    settings: dict[str, dict[str, object]] = {
        "exact": {"log_det": "exact"},
        "roulette": {"log_det": "roulette"},
        "3 terms": {"log_det": "truncated", "terms": 3},
    }
    for name, options in settings.items():
        torch.manual_seed(0)
        flow = pg.flows.residual_flow(2, layers=8, hidden=(64, 64), **options)  # type: ignore[arg-type]
        steps, claimed = train(flow, lambda n: law.sample((n,)), seconds)
        exact = pg.flows.residual_flow(2, layers=8, hidden=(64, 64), log_det="exact")
        exact.load_state_dict(flow.state_dict())
        with torch.no_grad():
            nats = float(TransformedDistribution(standard_normal(2), exact).log_prob(test).mean())
        rows.append([name, f"{claimed:.3f}", f"{nats:.3f}", str(steps), f"{inversion_error(flow, test):.0e}"])
    return rows


def rows_of(name: str, seconds: float, *, smoke: bool) -> str:
    """A table: nats a row of the flow with their standard error, and of a Gaussian."""
    data = load_uci(name)
    torch.manual_seed(0)
    x, test = data.train.x, data.test.x[: 50 if smoke else None]
    noisy = test + NOISE * torch.randn_like(test)
    flow = pg.flows.residual_flow(x.shape[1], layers=8, hidden=(64, 64))
    steps, _ = train(flow, lambda n: (rows := x[torch.randint(len(x), (n,))]) + NOISE * torch.randn_like(rows), seconds)
    with torch.no_grad():
        estimate = TransformedDistribution(standard_normal(x.shape[1]), flow.eval()).log_prob_estimate(
            noisy, 2 if smoke else 16
        )
    covariance = torch.cov(x.T) + NOISE**2 * torch.eye(x.shape[1])
    baseline = torch.distributions.MultivariateNormal(x.mean(0), covariance).log_prob(noisy).mean()
    nats, stderr = estimate.mean()
    own = float(estimate.stderr.square().mean().sqrt()) / len(noisy) ** 0.5
    return (
        f"{data.name}, {x.shape[1]} columns with noise: {nats:.2f} ± {stderr:.2f} nats a test row, of which the estimate's "
        f"error is {own:.3f}; a Gaussian {float(baseline):.2f}; {steps} steps; inverse {inversion_error(flow, noisy):.0e}"
    )


def main(argv: list[str] | None = None) -> float:
    """Train, print; return the exact nats of the moons under the flow that was trained by roulette."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a moment of training")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time of each training")
    parser.add_argument("--table", default="parkinsons", help="a UCI table: protein, parkinsons or wine")
    options = parser.parse_args(argv)
    seconds = 0.2 if options.smoke else options.seconds
    rows = moons(seconds, 100 if options.smoke else 5000)
    print(table(["log-determinant", "own number", "exact nats", "steps", "inverse"], rows))
    try:
        print(rows_of(options.table, 2 * seconds, smoke=options.smoke))
    except DataNotFoundError as error:
        print(f"no table: {error}")
    return float(rows[1][2])


if __name__ == "__main__":
    main()
