"""Continuous flows against zuko's: densities, training steps and draws, at equal tolerances.

``python -m tests.benchmarks.continuous_flow_steps`` times the libraries in processes of their own that take turns within a
round, and writes ``docs/benchmarks/flow_continuous.json``, a section of the page of benchmarks. With ``PROBGEN_BENCH_PYTHON``
peers run under another Python. Two of our flows are measured: one with zuko's network, the same weights, its divergence
differentiated; and FFJORD as our recipe makes it, with the trace in closed form.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median

from probgen.demo import Measured
from tests.benchmarks.cases import FlowCase
from tests.benchmarks.driver import Process, build, spread, start

NAMES = {
    "continuous_same": "probgen, zuko's network",
    "continuous_recipe": "probgen, `continuous_flow`",
    "peer_zuko_continuous": "zuko, `CNF`",
}
REFERENCE = "peer_zuko_continuous"


def taken(processes: list[Process], operation: str, rounds: int) -> dict[str, list[float]]:
    """Processor seconds of every process in every round; they take turns in rotating order."""
    found: dict[str, list[float]] = {process.name: [] for process in processes}
    for number in range(-1, rounds):
        turn = number % len(processes)
        for process in processes[turn:] + processes[:turn]:
            reply = process.ask(time=operation, repeats=1, processor=True)
            if number >= 0:  # the first round warms up
                found[process.name].append(reply["seconds"])
    return found


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.continuous_flow_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dims", type=int, nargs="+", default=[6, 21, 43])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/flow_continuous.json"))
    options = parser.parse_args(argv)
    rows: list[list[str]] = []
    processes = start(list(NAMES), threads=1, own=sys.executable)
    try:
        for dim in options.dims:
            built, answers = build(processes, FlowCase("continuous", dim, options.batch))
            for operation in ("log_prob", "train", "sample"):
                seconds = taken(built, operation, options.rounds)
                for name, own in seconds.items():
                    middle, low, high = spread([theirs / mine for mine, theirs in zip(own, seconds[REFERENCE], strict=True)])
                    evaluations = str(answers[name]["evaluations"][operation])
                    ratio = f"{middle:.2f} ({low:.2f} to {high:.2f})"
                    rows.append([str(dim), operation, NAMES[name], evaluations, f"{1e3 * median(own):.1f}", ratio])
                print(rows[-3:], flush=True)
    finally:
        for process in processes:
            process.close()
    errors = {name: f"{answer['error_nats']:.0e}" for name, answer in answers.items() if "error_nats" in answer}
    conditions = [
        f"{options.batch} rows, two hidden layers of 64, rtol 1e-5, atol 1e-6 for points, 1e-4 nats for log-determinants, as "
        "zuko's relaxed trace has it; exact divergences; weights of standard deviation 1.5 over the root of the fan-in; "
        f"processor time of one thread; medians of {options.rounds} rounds in which processes take turns. A ratio is zuko's "
        "time over ours within a round, with its quartiles: above 1, ours is faster. Evaluations are those of the field, "
        "rejected steps included; in training those of the way there and of the gradient. Both norms of the error take the "
        "worst row; ours is a root mean square within a row, zuko's a maximum.",
        f"Largest errors of the log-densities at D = {options.dims[-1]} against tolerances of 1e-9 in double precision, in "
        "nats: " + ", ".join(f"{NAMES[name]} {error}" for name, error in errors.items()) + ".",
        *([options.note] if options.note else []),
    ]
    found = Measured("Continuous flows, in time", conditions)
    print(found.add("Field evaluations and milliseconds.", ["D", "", "flow", "evaluations", "ms", "ratio"], rows))
    return found.write(options.out)


if __name__ == "__main__":
    main()
