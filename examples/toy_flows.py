"""Every recipe of flows on vectors, on one hard two-dimensional law: nats from the truth, seconds, and a picture of each.

The law is exact (Gaussians along two spirals, or `--toy` another), so the mean of log p(x) - log q(x) over fresh draws is the
divergence from the truth in nats; the standard error of that mean is printed beside it. All flows are trained by maximum
likelihood for the same number of steps of the same size, from the same batches.

`--only NAF BNAF` trains some of them. A recipe is a row of `RECIPES`: to compare your own flow, add one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

import probgen as pg
from probgen.data.toys import TOYS
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Bernstein, Bijector, MixtureOfLogisticsCDF, SumOfSquares
from probgen.plot import density_2d, table

RECIPES: dict[str, Callable[[], Bijector]] = {
    "real NVP": lambda: pg.flows.real_nvp(2, layers=8, hidden=(64, 64)),
    "MAF": lambda: pg.flows.masked_autoregressive_flow(2, layers=8, hidden=(64, 64)),
    "NSF (C)": lambda: pg.flows.neural_spline_coupling(2, layers=4, hidden=(64, 64)),
    "NSF (AR)": lambda: pg.flows.neural_spline_autoregressive(2, layers=4, hidden=(64, 64)),
    "Flow++ coupling": lambda: pg.flows.coupling_flow(2, element=MixtureOfLogisticsCDF(8), layers=4, hidden=(64, 64)),
    "Bernstein": lambda: pg.flows.autoregressive_flow(2, element=Bernstein(16), layers=3, hidden=(64, 64)),
    "sum of squares": lambda: pg.flows.autoregressive_flow(2, element=SumOfSquares(2, 2), layers=2, hidden=(64, 64)),
    "NAF, deep sigmoidal": lambda: pg.flows.neural_autoregressive_flow(2, layers=3, hidden=(64, 64)),
    "NAF, dense sigmoidal": lambda: pg.flows.neural_autoregressive_flow(
        2, element="dense-sigmoid", units=6, depth=2, layers=2, hidden=(64, 64)
    ),
    "NAF, positive weights": lambda: pg.flows.neural_autoregressive_flow(
        2, element="monotone-network", units=32, depth=2, layers=3, hidden=(64, 64)
    ),
    "UNAF": lambda: pg.flows.unconstrained_monotonic_flow(2, layers=3, hidden=(64, 64), integrand=(24, 24)),
    "BNAF": lambda: pg.flows.block_neural_autoregressive_flow(2, layers=4, units=24),
    "Gaussianization": lambda: pg.flows.gaussianization_flow(2, layers=10, components=12),
    "planar": lambda: pg.flows.planar_flow(2, layers=24),
    "radial": lambda: pg.flows.radial_flow(2, layers=24),
    "Sylvester": lambda: pg.flows.sylvester_flow(2, layers=16),
    "residual flow": lambda: pg.flows.residual_flow(2, layers=8, hidden=(64, 64), log_det="exact"),
    "continuous": lambda: pg.flows.continuous_flow(2, solver="rk4", steps=8),
}


def train(flow: Bijector, data: torch.Tensor, steps: int, batch: int, rate: float) -> float:
    """Maximum likelihood with Adam, a falling step and clipped gradients; the processor's seconds."""
    start = time.process_time()
    flow.initialize_from(data[:2000])
    optimizer = torch.optim.Adam(flow.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    law = TransformedDistribution(standard_normal(2), flow)
    for _ in range(steps):
        rows = data[torch.randint(len(data), (batch,), generator=generator)]
        optimizer.zero_grad(set_to_none=True)
        (-law.log_prob(rows).mean()).backward()
        torch.nn.utils.clip_grad_norm_(flow.parameters(), 5.0)
        optimizer.step()
        schedule.step()
    return time.process_time() - start


def draw_picture(truth: torch.distributions.Distribution, flows: dict[str, Bijector], path: Path) -> None:
    """The densities side by side, if matplotlib is installed."""
    laws = {name: TransformedDistribution(standard_normal(2), flow).log_prob for name, flow in flows.items()}
    try:
        figure = density_2d({"truth": truth.log_prob, **laws}, points=160, columns=5)
    except ImportError:
        print("matplotlib is not installed: no picture")
        return
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train all, print the table, return the divergences in nats."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toy", choices=sorted(TOYS), default="spirals")
    parser.add_argument("--only", nargs="+", choices=sorted(RECIPES), default=list(RECIPES), metavar="NAME")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--out", type=Path, default=Path("toy_flows.png"))
    parser.add_argument("--smoke", action="store_true", help="two steps of each")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    steps, batch = (2, 32) if options.smoke else (options.steps, options.batch)
    law = TOYS[options.toy]()
    data, test = law.sample((500 if options.smoke else 20_000,)), law.sample((100 if options.smoke else 5000,))
    divergences, rows, flows = {}, [], {}
    for name in options.only:
        torch.manual_seed(1)
        flow = RECIPES[name]()
        seconds = train(flow, data, steps, batch, options.rate)
        with torch.no_grad():
            gaps = law.log_prob(test) - TransformedDistribution(standard_normal(2), flow.eval()).log_prob(test)
            error = float((flow(flow.inverse(test)) - test).abs().max())
        flows[name], divergences[name] = flow, float(gaps.mean())
        spread = float(gaps.std() / len(gaps) ** 0.5)
        count = sum(parameter.numel() for parameter in flow.parameters())
        rows.append([name, f"{count}", f"{seconds:.0f}", f"{divergences[name]:.3f} ± {spread:.3f}", f"{error:.0e}"])
        print(f"{name}: {divergences[name]:.3f} nats, {seconds:.0f} s", flush=True)
    print(table([options.toy, "parameters", "seconds", "nats from the truth", "round trip"], rows))
    draw_picture(law, flows, options.out)
    return divergences


if __name__ == "__main__":
    main()
