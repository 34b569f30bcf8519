"""One continuous flow trained twice: by maximum likelihood, and by flow matching. Moons, and a UCI table.

The density is exact either way. A table says how many nats each reaches, how often the field is evaluated for a density, and
what the training cost; a picture shows the paths. ``--table protein`` (or parkinsons, wine) needs the file in $PROBGEN_DATA;
without it the toy is all there is.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

import probgen as pg
from probgen.data import DataNotFoundError, load_uci
from probgen.data.toys import two_moons
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import ContinuousFlow
from probgen.infer import FlowMatching, MaximumLikelihood, Objective, RegularizedLikelihood
from probgen.plot import table

Draw = Callable[[int], Tensor]


class FlowLaw(torch.nn.Module):
    """The law of a flow, as a module that returns it."""

    def __init__(self, flow: ContinuousFlow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self) -> TransformedDistribution:
        """The distribution."""
        return TransformedDistribution(standard_normal(self.flow.event_shape), self.flow)


def objectives(flow: ContinuousFlow) -> dict[str, Objective]:
    """The ways of training, by name."""
    return {
        "maximum likelihood": MaximumLikelihood(FlowLaw(flow)),
        "regularized likelihood": RegularizedLikelihood(flow, kinetic=0.01, jacobian=0.01),
        "flow matching": FlowMatching(flow),
        "flow matching, optimal pairs": FlowMatching(flow, coupling="optimal"),
    }


def train(loss: Objective, draw: Draw, seconds: float) -> float:
    """Train for seconds of processor time; the learning rate falls to zero. Return what was used."""
    optimizer = torch.optim.Adam(loss.parameters(), lr=5e-3, fused=True)
    begin, spent = time.process_time(), 0.0
    while spent < seconds:
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - spent / seconds)
        optimizer.zero_grad()
        loss(draw(256)).backward()
        torch.nn.utils.clip_grad_norm_(loss.parameters(), 10.0)
        optimizer.step()
        spent = time.process_time() - begin
    return spent


def density(flow: ContinuousFlow, x: Tensor) -> tuple[float, int]:
    """The mean log-density in nats and the evaluations of the field."""
    with torch.no_grad():
        found = flow.integrate(x, inverse=True)
        log_prob = standard_normal(x.shape[-1]).log_prob(found.value) + found.log_dets.mean(0)
    return float(log_prob.mean()), found.evaluations


def compare(features: int, draw: Draw, test: Tensor, seconds: float) -> tuple[list[list[str]], dict[str, ContinuousFlow]]:
    """Rows of nats, evaluations and seconds, and the flows."""
    rows, flows = [], {}
    for name in objectives(pg.flows.continuous_flow(1)):
        torch.manual_seed(0)
        flow = pg.flows.continuous_flow(features, hidden=(64, 64))
        spent = train(objectives(flow)[name], draw, seconds)
        nats, evaluations = density(flow, test)
        rows.append([name, f"{nats:.3f}", str(evaluations), f"{spent:.0f}"])
        flows[name] = flow
    return rows, flows


def picture(flows: dict[str, ContinuousFlow], path: Path) -> None:
    """Paths of the same points of the base under every flow."""
    from matplotlib.figure import Figure

    torch.manual_seed(1)
    start = torch.randn(150, 2)
    figure = Figure(figsize=(3.2 * len(flows), 3.2), layout="constrained")
    for axes, (name, flow) in zip(figure.subplots(1, len(flows), sharex=True, sharey=True), flows.items(), strict=True):
        way = [start]
        for index in range(24):
            times = (index / 24, (index + 1) / 24)
            way.append(ContinuousFlow(flow.vector_field, (2,), times=times, solver="rk4", steps=1)(way[-1]).detach())
        axes.plot(*torch.stack(way).unbind(-1), color="0.7", lw=0.5)
        axes.plot(*start.T, ".", ms=2, color="C0")
        axes.plot(*way[-1].T, ".", ms=2, color="C1")
        axes.set_title(name)
    figure.savefig(path, dpi=120)


def main(argv: list[str] | None = None) -> float:
    """Train, print the tables, draw the paths; return the nats of flow matching on the moons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a moment of training")
    parser.add_argument("--seconds", type=float, default=60.0, help="processor time of each training")
    parser.add_argument("--table", default="parkinsons", help="a UCI table: protein, parkinsons or wine")
    parser.add_argument("--out", type=Path, default=None, help="folder of the picture")
    options = parser.parse_args(argv)
    seconds = 0.2 if options.smoke else options.seconds
    torch.manual_seed(0)
    law = two_moons()
    test = law.sample((100 if options.smoke else 5000,))
    rows, flows = compare(2, lambda n: law.sample((n,)), test, seconds)
    header = ["training", "nats", "evaluations", "seconds"]
    print(f"two moons; the law itself has {float(law.log_prob(test).mean()):.3f} nats")
    print(table(header, rows))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        picture(flows, options.out / "continuous_flow.png")
    try:
        data = load_uci(options.table)
    except DataNotFoundError as error:
        print(f"no table: {error}")
    else:
        x, held_out = data.train.x, data.test.x[: 50 if options.smoke else None]
        more, _ = compare(x.shape[1], lambda n: x[torch.randint(len(x), (n,))], held_out, seconds)
        print(f"{data.name}, {x.shape[1]} columns, standardized; test rows")
        print(table(header, more))
    return float(rows[2][1])


if __name__ == "__main__":
    main()
