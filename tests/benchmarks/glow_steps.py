"""A step of Glow, forward and backward, against normflows' Glow of the same shape; and the determinant of its 1x1 convolution.

``python -m tests.benchmarks.glow_steps`` writes ``docs/benchmarks/flows_glow_steps.json``, a section of the page of benchmarks.
Each library runs in a process of its own (the peer under ``PROBGEN_BENCH_PYTHON`` if it is set); they take turns, and a figure
is the median over rounds of processor time of one thread. Both have LU-factored 1x1 convolutions, affine couplings and
conditioners of three convolutions; ours has standard split priors, as the peer has.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

SHAPES = {"28x28, 2 levels": (28, 2), "32x32, 3 levels": (32, 3)}
STEPS, HIDDEN, BATCH = 8, 128, 64


def own(side: int, levels: int, x: Tensor) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """Parameters, and the loss."""
    from probgen.distributions import TransformedDistribution, standard_normal
    from probgen.flows import glow

    flow = glow((1, side, side), levels=levels, steps=STEPS, hidden=HIDDEN, split_prior="standard")
    flow.initialize_from(x)
    law = TransformedDistribution(standard_normal(side * side), flow)
    return list(flow.parameters()), lambda: -law.log_prob(x).mean()


def normflows(side: int, levels: int, x: Tensor) -> tuple[list[Tensor], Callable[[], Tensor]]:
    """The same of https://github.com/VincentStimper/normalizing-flows, as its example of Glow builds it."""
    import normflows as nf

    bases, merges, flows = [], [], []
    for index in range(levels):
        blocks = [nf.flows.GlowBlock(2 ** (levels + 1 - index), HIDDEN, split_mode="channel", scale=True) for _ in range(STEPS)]
        flows.append([*blocks, nf.flows.Squeeze()])
        merges += [nf.flows.Merge()] if index else []
        channels, size = 2 ** (levels - index if index else levels + 1), side // 2 ** (levels - index)
        bases.append(nf.distributions.DiagGaussian((channels, size, size), trainable=False))
    model = nf.MultiscaleFlow(bases, flows, merges)
    return list(model.parameters()), lambda: -model.log_prob(x, None).mean()


SUBJECTS = {"probgen": own, "normflows": normflows}


def work(name: str, side: int, levels: int) -> None:
    """The worker: answers each line with the seconds of a step."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.distributions.Distribution.set_default_validate_args(False)
    parameters, loss = SUBJECTS[name](side, levels, torch.randn(BATCH, 1, side, side))

    def step() -> float:
        begin = time.process_time()
        for parameter in parameters:
            parameter.grad = None
        loss().backward()
        return time.process_time() - begin

    step()
    print(json.dumps(sum(parameter.numel() for parameter in parameters)), flush=True)
    for _ in sys.stdin:
        print(json.dumps(step()), flush=True)


def rounds(side: int, levels: int, count: int) -> dict[str, tuple[int, list[float]]]:
    """Parameters and seconds in every round, of each library."""
    processes = {}
    for name in SUBJECTS:
        python = os.environ.get("PROBGEN_BENCH_PYTHON", sys.executable) if name != "probgen" else sys.executable
        command = [python, "-W", "ignore", "-m", "tests.benchmarks.glow_steps", "--worker", name, str(side), str(levels)]
        pipe = subprocess.PIPE
        processes[name] = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, text=True, env=dict(os.environ, OMP_NUM_THREADS="1")
        )
    sizes = {name: json.loads(process.stdout.readline()) for name, process in processes.items()}
    found: dict[str, list[float]] = {name: [] for name in processes}
    for number in range(count + 2):
        for name in list(processes) if number % 2 else list(processes)[::-1]:
            processes[name].stdin.write("\n")
            processes[name].stdin.flush()
            seconds = json.loads(processes[name].stdout.readline())
            if number >= 2:  # the first rounds warm up
                found[name].append(seconds)
    for process in processes.values():
        process.stdin.close()
        process.wait()
    return {name: (sizes[name], found[name]) for name in found}


def determinants(count: int) -> list[list[str]]:
    """Microseconds of the log-determinant alone, by channels and kind of convolution."""
    from probgen.distributions.bijectors import DenseLinear, LULinear, QRLinear

    table = []
    for channels in (16, 64, 256, 1024):
        row = [str(channels)]
        for kind in (DenseLinear, LULinear, QRLinear):
            like, linear, times = torch.zeros(()), kind(channels, loc=False), []
            for _ in range(count):
                begin = time.process_time()
                for _ in range(20):
                    linear._log_determinant(like)
                times.append((time.process_time() - begin) / 20)
            row.append(f"{1e6 * median(times):.0f}")
        table.append(row)
    return table


def main(argv: list[str] | None = None) -> None:
    """Measure, print, write."""
    from probgen.demo import Measured, software

    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.glow_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/flows_glow_steps.json"))
    parser.add_argument("--worker", nargs=3, metavar=("NAME", "SIDE", "LEVELS"), help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.worker:
        work(options.worker[0], int(options.worker[1]), int(options.worker[2]))
        return
    torch.set_num_threads(1)
    table = []
    for label, (side, levels) in SHAPES.items():
        found = rounds(side, levels, options.rounds)
        ratio = median(theirs / mine for mine, theirs in zip(found["probgen"][1], found["normflows"][1], strict=True))
        for name, (size, seconds) in found.items():
            table.append(
                [label, name, f"{size:,}", f"{1e3 * median(seconds):.0f}", f"{ratio:.2f}" if name != "probgen" else "1"]
            )
        print(table[-2:], flush=True)
    measured = Measured("Glow: a step, forward and backward", [f"{software()}. {options.note}".strip()])
    measured.add(
        f"{STEPS} steps a level, {HIDDEN} hidden channels, batches of {BATCH} images of one channel; milliseconds of processor "
        "time of one thread, medians over rounds; the ratio is the median of those within a round.",
        ["images", "library", "parameters", "ms a step", "times probgen's"],
        table,
    )
    header = ["channels", "plain, us", "LU, us", "QR, us"]
    print(measured.add("The log-determinant of a 1x1 convolution.", header, determinants(options.rounds)))
    print(measured.write(options.out))


if __name__ == "__main__":
    main()
