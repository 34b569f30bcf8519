"""Drawing from PixelCNN and Gated PixelCNN, in processor time of one thread: by steps, and by a pass for each pixel.

``python -m tests.benchmarks.pixel_cnn_steps`` runs both ways with the same weights, in turns within a round and in one
process, and writes ``docs/benchmarks/autoregressive_pixel_cnn_steps.json``, a section of the page of benchmarks. Only the
networks are timed, the values are given: what an element takes to draw is the same in both. A naive pixel is one parallel pass
wherever the pixel stands, so a few are run; all steps of an image are run, and the time of each quarter is reported, too.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from probgen.demo import Measured, software
from probgen.nn import GatedPixelCNN, PixelCNN
from probgen.nn.causal import CausalNetwork, RecomputingNetwork


def networks(side: int, *, quick: bool) -> dict[str, tuple[CausalNetwork, tuple[int, ...]]]:
    """Networks and how many images are drawn at once."""
    shape = (1, side, side)
    if quick:
        return {"gated, 3 layers, 8 channels": (GatedPixelCNN(shape, 1, layers=3, channels=8), (1, 2))}
    plain = {
        f"plain, 15 blocks, {channels} channels": (PixelCNN(shape, 1, blocks=15, channels=channels, head_channels=32), batches)
        for channels, batches in ((32, (1, 16)), (256, (1,)))
    }
    gated = GatedPixelCNN(shape, 1, layers=10, channels=128, head_channels=32)
    return {**plain, "gated, 10 layers, 128 channels": (gated, (1, 16))}


def stepped(network: CausalNetwork, batch: int) -> list[float]:
    """Milliseconds a pixel in each quarter of the rows, of one image batch."""
    ends, values = [time.process_time()], torch.ones(batch, network.num_inputs)

    def draw(_start: int, stop: int, _params: Tensor) -> Tensor:
        if stop * 4 // network.features > len(ends) - 1:
            ends.append(time.process_time())
        return values

    network.sweep(draw, (batch,))
    return [4e3 * (last - first) / network.features for first, last in itertools.pairwise(ends)]


def naive(network: CausalNetwork, batch: int, pixels: int) -> float:
    """Milliseconds a pixel by a pass for each."""
    recomputing = RecomputingNetwork(network, network.features, network.num_outputs)
    state, values = (torch.zeros(batch, network.features), None, 0), torch.ones(batch, 1)
    begin = time.process_time()
    for _ in range(pixels):
        state, _params = recomputing.step(state, values)
    return 1e3 * (time.process_time() - begin) / pixels


def rows(side: int, rounds: int, *, quick: bool) -> list[list[str]]:
    """Medians over rounds, and the median of the ratios within a round."""
    table = []
    for name, (network, batches) in networks(side, quick=quick).items():
        network.eval()
        for batch in batches:
            found = []
            for index in range(rounds + 1):
                quarters, each = stepped(network, batch), naive(network, batch, 4 if batch == 1 else 1)
                if index:  # the first round warms up
                    found.append((sum(quarters) / 4, each, *quarters))
            ratio = median(each / mine for mine, each, *_ in found)
            mine, each, *quarters = (median(column) for column in zip(*found, strict=True))
            flat = " ".join(f"{quarter:.2f}" for quarter in quarters)
            table.append([name, str(batch), f"{mine:.3f}", f"{each:.1f}", f"{ratio:.1f}", flat])
            print(table[-1], flush=True)
    return table


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pixel_cnn_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tiny network, to test the harness")
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/autoregressive_pixel_cnn_steps.json"))
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    side = 8 if options.quick else 28
    conditions = [
        f"Images {side}x{side}. Milliseconds of processor time of one thread for a pixel of all images of a batch; the same "
        f"weights both ways, which take turns in one process; medians of {options.rounds} rounds, the ratio is the median of "
        f"those within a round. All pixels are run by steps, four of one image and one of 16 by passes. {software()}.",
        *([options.note] if options.note else []),
    ]
    measured = Measured("Drawing from PixelCNN and Gated PixelCNN: by steps, and by a pass for each pixel", conditions)
    header = ["network", "images", "by steps, ms", "by passes, ms", "times", "by steps, in each quarter of the image"]
    with torch.no_grad():
        table = rows(side, options.rounds, quick=options.quick)
    print(measured.add("Without what an element takes to draw a value.", header, table))
    return measured.write(options.out)


if __name__ == "__main__":
    main()
