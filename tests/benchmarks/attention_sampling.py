"""Sampling by a causal transformer: with keys and values kept against a parallel pass for each pixel, in processor time.

``python -m tests.benchmarks.attention_sampling`` draws 28x28 images from an ImageGPT of 8 blocks and 64 channels, one and
sixteen at a time, and writes ``docs/benchmarks/autoregressive_attention_sampling.json``, a section of the page of benchmarks.
All arms have the same weights and take turns in one process. A naive draw runs the network again for every pixel; what that
costs does not depend on the pixel, so it is timed at a few pixels and the mean taken. It comes in two kinds: with torch's fused
attention, which is what ``RecomputingNetwork`` does, and with attention by its formula, which keeps the table of all pairs, as
samplers that are in use do. What is kept of a position, for up to four heads, is the input of its keys and values. The cached
draw is timed whole, and in eighths of the image, to see what a pixel costs where many are before it.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import time
from pathlib import Path
from statistics import mean, median

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from probgen.demo import Measured
from probgen.nn.causal import CausalTransformer, RecomputingNetwork

PARTS = 8


def cached(network: CausalTransformer, bits: Tensor) -> list[float]:
    """Seconds a pixel of one sweep, for each eighth of the image."""
    size, marks = network.features // PARTS, []

    def draw(start: int, stop: int, _params: Tensor) -> Tensor:
        if start % size == 0:
            marks.append(time.process_time())
        return bits[:, start:stop]

    network.sweep(draw, (len(bits),))
    marks.append(time.process_time())
    return [(after - before) / size for before, after in itertools.pairwise(marks)]


def naive(network: RecomputingNetwork, bits: Tensor, *, fused: bool) -> float:
    """Seconds a pixel: two steps at pixels in the first and the last half."""
    found = []
    for level in (network.features // 4, 3 * network.features // 4):
        state = (bits * (torch.arange(network.features) < level), None, level)
        with contextlib.nullcontext() if fused else sdpa_kernel(SDPBackend.MATH):
            begin = time.process_time()
            network.step(state, bits[:, level : level + 1])
            found.append(time.process_time() - begin)
    return mean(found)


def rows(network: CausalTransformer, batches: tuple[int, ...], rounds: int) -> tuple[list[list[str]], list[list[str]]]:
    """Milliseconds a pixel and their ratios; milliseconds by position."""
    slow = RecomputingNetwork(network, network.features, network.num_outputs)
    table, flat = [], []
    for batch in batches:
        bits = torch.rand(batch, network.features).round()
        arms: dict[str, list[float]] = {"fused": [], "formula": []}
        parts = []
        for _ in range(rounds + 1):  # the first round warms up
            parts.append(cached(network, bits))
            for name in arms:
                arms[name].append(naive(slow, bits, fused=name == "fused"))
        whole = [mean(part) for part in parts]
        cells = [f"{1e3 * median(whole[1:]):.2f}"]
        for times in arms.values():
            ratio = median(theirs / mine for theirs, mine in zip(times[1:], whole[1:], strict=True))
            cells += [f"{1e3 * median(times[1:]):.1f}", f"{ratio:.0f}"]
        table.append([str(batch), *cells])
        by_part = [median(part[k] for part in parts[1:]) for k in range(PARTS)]
        flat.append([str(batch), *(f"{1e3 * value:.2f}" for value in by_part)])
        print(table[-1], flat[-1], flush=True)
    return table, flat


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.attention_sampling", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--heads", type=int, default=4)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/autoregressive_attention_sampling.json"))
    parser.add_argument("--quick", action="store_true", help="a tiny network, to test the harness")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    side, depth = (8, 2) if options.quick else (28, 8)
    network = CausalTransformer((side, side), 1, width=64, depth=depth, heads=options.heads).eval()
    with torch.no_grad():
        table, flat = rows(network, (1, 2) if options.quick else (1, 16), 1 if options.quick else options.rounds)
    measured = Measured("Sampling by a causal transformer, cached against naive")
    measured.conditions = [
        f"ImageGPT, {depth} blocks, 64 channels, {options.heads} heads, {side}x{side} images; the same weights in all arms, "
        "which take turns in one process; milliseconds of processor time of one thread for a pixel of all images of a batch, "
        f"medians of {options.rounds} rounds; ratios are medians of those within a round. A naive pixel is a parallel pass, "
        f"timed at two pixels; a cached image is timed whole. torch {torch.__version__}.",
        *([options.note] if options.note else []),
    ]
    header = ["images", "cached, ms", "naive, fused, ms", "ratio", "naive, formula, ms", "ratio"]
    print(measured.add("Naive with torch's fused attention, and with the table of all pairs.", header, table))
    header = ["images", *(f"{k}/{PARTS}" for k in range(1, PARTS + 1))]
    print(measured.add("A cached pixel in each eighth of the image, ms.", header, flat))
    return measured.write(options.out)


if __name__ == "__main__":
    main()
