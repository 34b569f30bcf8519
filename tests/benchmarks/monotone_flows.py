"""Increasing networks against zuko's: density, step and draw in milliseconds of processor time, and the round trip far out.

``python -m tests.benchmarks.monotone_flows --peer PYTHON`` times ours in processes of this interpreter and zuko's in processes
of the other one (importing zuko switches torch's validation off), one thread each: the fastest of a few calls, medians over
rounds that alternate. Both sides: D = 6, batch 256, three layers, masked networks of 2 x 64, and what each library takes for
the increasing part: zuko's NAF and UNAF have networks of 3 x 64 units behind a signal of 16 numbers; ours the same for positive
weights and the integral. zuko has 32 nodes from 0 to x, we 6 in each of 8 cells on the side of x.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from probgen.demo import Measured

DIM, BATCH, LAYERS, HIDDEN = 6, 256, 3, (64, 64)
KINDS = ("positive weights", "integral", "gaussianization")


def ours(kind: str) -> tuple[torch.nn.Module, Callable, Callable, Callable]:
    """Module, log_prob, sample, round trip from data to noise and back."""
    from probgen import flows
    from probgen.distributions import TransformedDistribution, standard_normal

    if kind == "positive weights":
        flow = flows.neural_autoregressive_flow(
            DIM, element="monotone-network", units=64, depth=3, layers=LAYERS, hidden=HIDDEN
        )
    elif kind == "integral":
        flow = flows.unconstrained_monotonic_flow(DIM, integrand=(64, 64, 64), layers=LAYERS, hidden=HIDDEN)
    else:
        flow = flows.gaussianization_flow(DIM, layers=LAYERS, components=8)
    law = TransformedDistribution(standard_normal(DIM), flow)
    return flow, law.log_prob, lambda n: law.sample((n,)), lambda x: flow(flow.inverse(x))


def zukos(kind: str) -> tuple[torch.nn.Module, Callable, Callable, Callable]:
    """The same of zuko."""
    import zuko

    if kind == "gaussianization":
        flow = zuko.flows.GF(DIM, transforms=LAYERS, components=8)
    else:
        family = zuko.flows.NAF if kind == "positive weights" else zuko.flows.UNAF
        flow = family(DIM, transforms=LAYERS, hidden_features=HIDDEN, network={"hidden_features": (64, 64, 64)})
    return (
        flow,
        lambda x: flow().log_prob(x),
        lambda n: flow().sample((n,)),
        lambda x: flow().transform.inv(flow().transform(x)),
    )


def measure(library: str, kind: str, repeats: int) -> dict[str, float]:
    """Milliseconds of processor time, the fastest of ``repeats``, and errors of the round trip."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    module, log_prob, sample, round_trip = (ours if library == "probgen" else zukos)(kind)
    x = torch.randn(BATCH, DIM)

    def train() -> None:
        module.zero_grad()
        (-log_prob(x).mean()).backward()

    def seconds(call: Callable) -> float:
        call()
        times = []
        for _ in range(repeats):
            start = time.process_time()
            call()
            times.append(time.process_time() - start)
        return 1e3 * min(times)

    found = {"train": seconds(train)}
    with torch.no_grad():
        found["log_prob"] = seconds(lambda: log_prob(x))
        found["sample"] = seconds(lambda: sample(BATCH))
        for scale in (1.0, 10.0, 100.0):
            error = (round_trip(scale * x) - scale * x).abs().max()
            found[f"error {scale:g}"] = float(error)
    return found


def main(argv: list[str] | None = None) -> None:
    """Measure in processes of their own, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", default=sys.executable, help="the Python that has zuko")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/flows_monotone.json"))
    parser.add_argument("--measure", nargs=2, metavar=("LIBRARY", "KIND"), default=None, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.measure:
        print(json.dumps(measure(*options.measure, options.repeats)))
        return
    results: dict[str, dict[str, list[dict[str, float]]]] = {}
    for _ in range(options.rounds):
        for kind in KINDS:
            for library, python in (("probgen", sys.executable), ("zuko", options.peer)):
                command = [python, __file__, "--repeats", str(options.repeats), "--measure", library, kind]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                results.setdefault(kind, {}).setdefault(library, []).append(json.loads(done.stdout))
                print(kind, library, done.stdout.strip(), flush=True)
    medians = {
        kind: {name: {key: median(row[key] for row in rows) for key in rows[0]} for name, rows in found.items()}
        for kind, found in results.items()
    }
    found = section(medians, options.rounds, options.note)
    print(found.markdown())
    print(found.write(options.out))


def section(medians: dict[str, dict[str, dict[str, float]]], rounds: int, note: str) -> Measured:
    """The tables of the page."""
    from probgen.demo import Measured  # not in the peer's processes

    conditions = [
        f"D = {DIM}, batch {BATCH}, {LAYERS} layers, masked networks of 2 x 64, increasing networks of 3 x 64 behind a signal "
        "of 16 numbers, 8 logistics or normals of a margin; one thread. Milliseconds of processor time, the fastest of a few "
        f"calls, medians of {rounds} round(s) in which the libraries take turns in processes of their own. "
        "zuko integrates with 32 nodes from 0 to x, we with 6 in each of 8 cells on the side of x. torch 2.13, zuko 1.6.0.",
        *([note] if note else []),
    ]
    found = Measured("Increasing networks", conditions)
    times, errors = [], []
    for kind, libraries in medians.items():
        for name, row in libraries.items():
            times.append([kind, name, *(f"{row[key]:.1f}" for key in ("log_prob", "train", "sample"))])
            errors.append([kind, name, *(f"{row[f'error {scale}']:.1e}" for scale in (1, 10, 100))])
    found.add("Milliseconds.", ["flow", "library", "log_prob", "train", "sample"], times)
    caption = "Largest error of the round trip from data to noise and back, float32, as built, data of scale"
    found.add(caption, ["flow", "library", "1", "10", "100"], errors)
    return found


if __name__ == "__main__":
    main()
