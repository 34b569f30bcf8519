"""Residual flows against normflows': training steps with equally many terms and by roulette, and draws.

``python -m tests.benchmarks.residual_steps`` times both in turn and writes ``docs/benchmarks/flow_residual.json``, a section of
the page of benchmarks; normflows runs in a process of its own, under ``PROBGEN_BENCH_PYTHON`` if that is set. Both have 8
layers of D-128-128-D with constant 0.97, one thread and the same batch.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
LAYERS, TERMS, UPDATES = 8, 10, 5
STEPS = ("train, 10 terms", "train, 10 terms, its norms renewed", "train, roulette")
DRAWS = ("draw", "draw, its iterations to rounding")


def own(dim: int):
    """Operations of probgen: what the steps differentiate, the draws, and their inverses."""
    import torch

    from probgen.distributions import TransformedDistribution, standard_normal
    from probgen.flows import residual_flow

    def build(**settings):
        torch.manual_seed(0)
        flow = residual_flow(dim, layers=LAYERS, hidden=(128, 128), normalization=False, **settings)
        return flow, TransformedDistribution(standard_normal(dim), flow, allow_estimate=True)

    (flow, fixed), (_, random) = build(log_det="truncated", terms=TERMS), build(log_det="roulette")
    steps = (fixed.log_prob, fixed.log_prob, random.log_prob)
    return steps, (flow, flow), (flow.inverse, flow.inverse)


def normflows(dim: int):
    """The same of normflows."""
    import normflows as nf
    import torch

    def build(**settings):
        torch.manual_seed(0)
        parts = []
        for _ in range(LAYERS):
            network = nf.nets.LipschitzMLP([dim, 128, 128, dim], init_zeros=False, lipschitz_const=0.97)
            parts.append(nf.flows.Residual(network, reverse=True, reduce_memory=True, **settings))
        return nf.NormalizingFlow(nf.distributions.DiagGaussian(dim, trainable=False), parts)

    fixed, random, precise = build(n_power_series=TERMS), build(), build(n_power_series=TERMS)
    for part in precise.flows:
        block = part.iresblock
        block._inverse_fixed_point = functools.partial(block._inverse_fixed_point, atol=1e-12, rtol=1e-12)

    def renewed(x):
        nf.utils.update_lipschitz(fixed, UPDATES)
        return fixed.log_prob(x)

    return (fixed.log_prob, renewed, random.log_prob), (fixed.forward, precise.forward), (fixed.inverse, precise.inverse)


def serve(library: str, dim: int, batch: int) -> None:
    """Time what is asked for: a line with the operation in, a line with processor seconds (or an error) out."""
    import torch

    torch.set_num_threads(1)
    steps, draws, inverses = {"probgen": own, "normflows": normflows}[library](dim)
    x = torch.randn(batch, dim, generator=torch.Generator().manual_seed(1))

    def step(log_prob):
        (-log_prob(x.clone()).mean()).backward()

    @torch.no_grad()
    def drawn(draw):
        found = draw(x.clone())
        return found[0] if isinstance(found, tuple) else found

    operations = {name: functools.partial(step, log_prob) for name, log_prob in zip(STEPS, steps, strict=True)}
    operations |= {name: functools.partial(drawn, draw) for name, draw in zip(DRAWS, draws, strict=True)}
    for line in sys.stdin:
        name = line.strip()
        if name.startswith("error of "):
            drawing = name.removeprefix("error of ")
            with torch.no_grad():
                back = inverses[DRAWS.index(drawing)](operations[drawing]())
                answer = float(((back[0] if isinstance(back, tuple) else back) - x).abs().max())
        else:
            begin = time.process_time()
            operations[name]()
            answer = time.process_time() - begin
        print(json.dumps(answer), flush=True)


class Workers:
    """One process for each library, asked in turn."""

    def __init__(self, dim: int, batch: int) -> None:
        environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
        self.processes = {}
        for library in ("probgen", "normflows"):
            python = sys.executable if library == "probgen" else os.environ.get("PROBGEN_BENCH_PYTHON", sys.executable)
            command = [python, __file__, "--serve", library, str(dim), str(batch)]
            self.processes[library] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
            )

    def ask(self, library: str, name: str) -> float:
        """One answer."""
        process = self.processes[library]
        process.stdin.write(name + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    def close(self) -> None:
        """End both."""
        for process in self.processes.values():
            process.stdin.close()
            process.wait()


def compared(dim: int, batch: int, rounds: int) -> list[list[str]]:
    """Rows of the table for one size: the workers take turns, and a ratio is one within a round."""
    from tests.benchmarks.driver import spread

    workers, rows = Workers(dim, batch), []
    for operation in (*STEPS, *DRAWS):
        times: dict[str, list[float]] = {library: [] for library in workers.processes}
        for number in range(-1, rounds):
            for library in sorted(times, reverse=bool(number % 2)):
                seconds = workers.ask(library, operation)
                if number >= 0:  # the first round warms up
                    times[library].append(seconds)
        middle, low, high = spread([theirs / mine for mine, theirs in zip(times["probgen"], times["normflows"], strict=True)])
        milliseconds = [f"{1e3 * median(values):.1f}" for values in times.values()]
        errors = [f"{workers.ask(library, f'error of {operation}'):.0e}" if operation in DRAWS else "" for library in times]
        rows.append([str(dim), operation, *milliseconds, f"{middle:.2f} ({low:.2f} to {high:.2f})", *errors])
        print(*rows[-1], sep=" | ", flush=True)
    workers.close()
    return rows


def main() -> None:
    """Start both, time them in turn, write medians and ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.residual_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dims", type=int, nargs="+", default=[8, 64])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks" / "flow_residual.json")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]), int(options.serve[2]))
        return
    from probgen.demo import Measured

    rows = [row for dim in options.dims for row in compared(dim, options.batch, options.rounds)]
    conditions = [
        f"{LAYERS} layers of D-128-128-D, constant 0.97 (of a whole network here, of each of its matrices in normflows), "
        f"{options.batch} rows; a step is forward and backward; processor time of one thread; medians of {options.rounds} "
        "rounds in which processes take turns. A ratio is normflows' time over ours within a round, with its quartiles: above "
        "1, ours is faster. normflows' norms are estimates from below that only `update_lipschitz` renews, to be called after "
        f'every step: "renewed" counts {UPDATES} iterations of it; ours are bounds from above, computed anew in every step. '
        "With the roulette normflows draws one number of terms for the whole batch, 4 on average; ours one for each row, 3 on "
        "average, and rows leave the batch when they are done. Draws of normflows end with its default tolerance, or 1e-12 "
        "for squared moves, and contain a log-determinant, which its interface always computes, as ours do not; errors are the "
        "largest of x mapped to a draw and back.",
        *([options.note] if options.note else []),
    ]
    header = ["D", "", "ms, probgen", "ms, normflows", "ratio", "error, probgen", "error, normflows"]
    found = Measured("Residual flows, in time", conditions)
    print(found.add("Milliseconds of the processor.", header, rows))
    found.write(options.out)


if __name__ == "__main__":
    main()
