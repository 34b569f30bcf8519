"""Drawing images from PixelCNN++, in processor time of one thread: with memories, and by a whole pass for each pixel.

``python -m tests.benchmarks.pixel_sampling`` draws with the same weights in both ways, in turns within a round and in one
process, and writes ``docs/benchmarks/autoregressive_pixelcnn_plus_plus_sampling.json``, a section of the page of benchmarks.
The naive way costs one parallel pass for each pixel; a fraction of its pixels is run and the time scaled up, since each costs
the same.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from probgen.demo import Measured, software
from probgen.distributions import Autoregressive, Quantization
from probgen.distributions.elements import DiscretizedLogisticMixtureElement
from probgen.nn import PixelCNNPlusPlus
from probgen.nn.causal import RecomputingNetwork

ELEMENT = DiscretizedLogisticMixtureElement(Quantization(256, -1.0, 1.0), components=10, channels=None)


def seconds(run: Callable[[], object]) -> float:
    """Processor time of a call."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def naive_step(network: PixelCNNPlusPlus, batch: int) -> Callable[[], object]:
    """One pixel by a pass over the image, and its draw."""
    naive = RecomputingNetwork(network, network.features, network.num_outputs)
    state, params = naive.init_state((batch,))

    def run() -> object:
        return naive.step(state, ELEMENT(params).sample().reshape(batch, 1))

    return run


def measure(side: int, filters: int, blocks: int, batches: tuple[int, ...], rounds: int, steps: int) -> list[list[str]]:
    """For each batch size the seconds of an image batch both ways, and the median ratio of rounds."""
    torch.manual_seed(0)
    network = PixelCNNPlusPlus((side, side), ELEMENT.num_parameters, filters=filters, blocks=blocks).eval()
    law, rows = Autoregressive(network, (side, side), ELEMENT), []
    for batch in batches:
        with torch.no_grad():
            step = naive_step(network, batch)
            step()
            found = []
            for _ in range(rounds):
                cached = seconds(lambda: law.sample((batch,)))  # noqa: B023
                naive = seconds(lambda: [step() for _ in range(steps)]) * side * side / steps  # noqa: B023
                found.append((cached, naive))
        ratio = median(naive / cached for cached, naive in found)
        columns = [f"{median(column):.2f}" for column in zip(*found, strict=True)]
        rows.append([f"{side}x{side}, {filters} filters, {blocks} blocks", str(batch), *columns, f"{ratio:.0f}"])
        print(rows[-1], flush=True)
    return rows


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.pixel_sampling", description=__doc__)
    parser.add_argument("--side", type=int, default=28)
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=8, help="pixels drawn naively in a round")
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/autoregressive_pixelcnn_plus_plus_sampling.json"))
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.distributions.Distribution.set_default_validate_args(False)
    conditions = [
        "Processor time of one thread, medians of rounds in which both ways take turns in one process, same weights. "
        f"{software()}.",
        *([options.note] if options.note else []),
    ]
    measured = Measured("Drawing from PixelCNN++: with memories, and by a pass for each pixel", conditions)
    rows = measure(options.side, options.filters, options.blocks, tuple(options.batches), options.rounds, options.steps)
    header = ["network, 3 levels", "images at once", "with memories, s", "naive, s", "times"]
    print(measured.add("Seconds for a batch of images.", header, rows))
    return measured.write(options.out)


if __name__ == "__main__":
    main()
