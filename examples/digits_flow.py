"""One flow on real digits from start to end in fifty lines: dequantize, train, score, draw, complete.

`examples/demo.py` is the long version, with classes, outliers and baselines.
"""

from __future__ import annotations

import argparse
import math

import torch

from probgen.demo import ENTRIES, Settings, held_out_log_prob, load_problem, train
from probgen.metrics import bits_per_dim

SHADES = " .:-=+*#%@"


def ascii_images(v: torch.Tensor) -> str:
    """Images ``[n, 64]`` in [0, 1] side by side, as characters."""
    shade = (v.unflatten(-1, (8, 8)) * (len(SHADES) - 1)).round().long().clamp(0, len(SHADES) - 1)
    return "\n".join("  ".join("".join(SHADES[k] * 2 for k in image[row].tolist()) for image in shade) for row in range(8))


def main(argv: list[str] | None = None) -> float:
    """Train a spline coupling flow on the embedded digits; print bits/dim and draws; return bits/dim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    settings = Settings.smoke() if options.smoke else Settings()
    problem = load_problem(settings)
    model, _ = train(ENTRIES["spline coupling"], problem, settings, conditional=False, progress=not options.smoke)
    log_prob = held_out_log_prob(model, problem, conditional=False)
    bits = bits_per_dim(log_prob, 64, levels=17)
    print(f"test: {bits} bits/dim (an upper bound for the integers; uniform: {math.log2(17):.3f})")
    torch.manual_seed(0)
    print("draws:\n" + ascii_images(model.sample(5)))
    worst = log_prob.topk(5, largest=False).indices
    print("the least likely test images:\n" + ascii_images(problem.test.x[worst] / 16))
    return bits.mean


if __name__ == "__main__":
    main()
