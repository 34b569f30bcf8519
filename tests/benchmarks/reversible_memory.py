"""Memory of one training step of Glow, with and without recomputed activations; one process for each figure.

python -m tests.benchmarks.reversible_memory            # the table
python -m tests.benchmarks.reversible_memory 8 True     # one row
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import torch
from torch import Tensor

from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import set_reversible
from probgen.flows import glow

SHAPE, HIDDEN, BATCH = (3, 32, 32), 64, 32


def row(steps: int, *, reversible: bool) -> dict[str, float]:
    """Bytes that autograd keeps between the two passes, peak of the process above its state before, seconds of one step."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    flow = set_reversible(glow(SHAPE, levels=1, steps=steps, hidden=HIDDEN), reversible=reversible)
    law = TransformedDistribution(standard_normal(3 * 32 * 32), flow)
    x = torch.randn(BATCH, *SHAPE)
    with torch.no_grad():
        flow.initialize_from(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = -law.log_prob(x).mean()
    own = {parameter.untyped_storage().data_ptr() for parameter in flow.parameters()}
    saved = sum(size for pointer, size in kept.items() if pointer not in own)
    loss.backward()
    start = time.process_time()
    (-law.log_prob(x).mean()).backward()
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    weights = sum(parameter.numel() * parameter.element_size() for parameter in flow.parameters())
    return {
        "steps": steps,
        "reversible": reversible,
        "kept_mb": saved / 1e6,
        "parameters_mb": weights / 1e6,
        "peak_mb": peak / 1e3,
        "peak_above_start_mb": (peak - before) / 1e3,
        "step_cpu_s": seconds,
    }


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(row(int(sys.argv[1]), reversible=sys.argv[2] == "True")))
    else:
        for depth in (8, 32):
            for choice in ("False", "True"):
                command = [sys.executable, "-m", "tests.benchmarks.reversible_memory", str(depth), choice]
                print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)
