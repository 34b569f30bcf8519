"""Residual flows against normflows': a training step with equally many terms, a training step by roulette, a draw.

``python -m tests.benchmarks.residual_steps [--quick]``; normflows runs in a process of its own, under ``PROBGEN_BENCH_PYTHON``
if that is set. Both have 8 layers of D-128-128-D with constant 0.97, one thread, the same batch. A round times both, in turn.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ("train, 10 terms", "train, roulette", "draw")
LAYERS, TERMS = 8, 10


def own(dim: int):
    """Operations of probgen and the error of its inverse."""
    import torch

    from probgen.distributions import TransformedDistribution, standard_normal
    from probgen.flows import residual_flow

    def build(**settings):
        torch.manual_seed(0)
        flow = residual_flow(dim, layers=LAYERS, hidden=(128, 128), normalization=False, **settings)
        return flow, TransformedDistribution(standard_normal(dim), flow, allow_estimate=True)

    (flow, fixed), (_, random) = build(log_det="truncated", terms=TERMS), build(log_det="roulette")
    return flow, fixed.log_prob, random.log_prob, flow, flow.inverse


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

    fixed, random = build(n_power_series=TERMS), build()
    return fixed, fixed.log_prob, random.log_prob, fixed.forward, fixed.inverse


def serve(library: str, dim: int, batch: int) -> None:
    """Time what is asked for: a line with the operation in, a line with seconds out."""
    import torch

    torch.set_num_threads(1)
    _flow, fixed, random, forward, inverse = {"probgen": own, "normflows": normflows}[library](dim)
    x = torch.randn(batch, dim, generator=torch.Generator().manual_seed(1))

    def step(log_prob):
        (-log_prob(x.clone()).mean()).backward()

    def draw():
        with torch.no_grad():
            return forward(x.clone())

    operations = dict(
        zip(OPERATIONS, (lambda: step(fixed), lambda: step(random), draw), strict=True),
        error=lambda: None,
    )
    for line in sys.stdin:
        name = line.strip()
        begin = time.perf_counter()
        operations[name]()
        answer = time.perf_counter() - begin
        if name == "error":
            with torch.no_grad():
                answer = float((inverse(forward(x.clone())) - x).abs().max())
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Start both, time them in turn, print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve[0], int(options.serve[1]), int(options.serve[2]))
        return
    for dim in (8, 64):
        compare(dim, 256, 3 if options.quick else options.rounds)


def compare(dim: int, batch: int, rounds: int) -> None:
    """One size."""
    environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
    workers = {}
    for library in ("probgen", "normflows"):
        python = sys.executable if library == "probgen" else os.environ.get("PROBGEN_BENCH_PYTHON", sys.executable)
        command = [python, __file__, "--serve", library, str(dim), str(batch)]
        workers[library] = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )

    def ask(library: str, name: str) -> float:
        worker = workers[library]
        worker.stdin.write(name + "\n")
        worker.stdin.flush()
        return json.loads(worker.stdout.readline())

    for operation in OPERATIONS:
        times: dict[str, list[float]] = {library: [] for library in workers}
        for number in range(rounds + 1):
            for library in sorted(workers, reverse=bool(number % 2)):
                seconds = ask(library, operation)
                if number:
                    times[library].append(seconds)
        ratio = median(b / a for a, b in zip(times["probgen"], times["normflows"], strict=True))
        milliseconds = ", ".join(f"{library} {1e3 * median(values):.1f} ms" for library, values in times.items())
        print(f"D = {dim}, batch {batch}, {operation}: {milliseconds}, ratio {ratio:.2f}", flush=True)
    errors = {library: ask(library, "error") for library in workers}
    print(f"D = {dim}: largest error of the inverse {errors}", flush=True)
    for worker in workers.values():
        worker.stdin.close()
        worker.wait()


if __name__ == "__main__":
    main()
