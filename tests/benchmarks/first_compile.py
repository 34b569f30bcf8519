"""How long the first training step of a compiled deep flow takes, and the next ones; one process for each figure, no caches.

python -m tests.benchmarks.first_compile                  # the table
python -m tests.benchmarks.first_compile inductor 64      # one row
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from statistics import median

import torch

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Compose, Coupling, RationalQuadraticSpline, Repeat, Reverse, half_mask
from probgen.nn import MLP

DIM, BATCH = 8, 512


def layer() -> Compose:
    """A spline coupling and a reversal."""
    spline = RationalQuadraticSpline(8)
    half = DIM // 2
    return Compose(Coupling(spline, MLP(half, half * spline.num_free, hidden=(64, 64)), half_mask(DIM)), Reverse())


def row(backend: str, depth: int) -> dict[str, float | str]:
    """Seconds of the first step and milliseconds of later ones."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    law = TransformedDistribution(standard_normal(DIM), Repeat(layer, depth).compile_layers(backend))
    x = torch.randn(BATCH, DIM)
    seconds = []
    for _ in range(9):
        start = time.perf_counter()
        (-law.log_prob(x).mean()).backward()
        seconds.append(time.perf_counter() - start)
    return {"backend": backend, "depth": depth, "first_s": seconds[0], "step_ms": 1e3 * median(seconds[1:])}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(row(sys.argv[1], int(sys.argv[2]))))
    else:
        for name in ("aot_eager", "inductor"):
            for layers in (4, 16, 64):
                command = [sys.executable, "-m", "tests.benchmarks.first_compile", name, str(layers)]
                fresh = {**os.environ, "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1", "OMP_NUM_THREADS": "1"}
                print(subprocess.run(command, check=True, capture_output=True, text=True, env=fresh).stdout.strip(), flush=True)
