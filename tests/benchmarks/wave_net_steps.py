"""Sampling from a WaveNet in processor time of one thread: recomputing a window, eager steps, compiled steps.

``python -m tests.benchmarks.wave_net_steps`` times 10 dilations in 2 stacks, 32 channels, 256 codes, the same weights in all
arms, which take turns within a round and in one process; and writes ``docs/benchmarks/autoregressive_wave_net_steps.json``, a
section of the page of benchmarks. The window is that of the receptive field, 2047 values: all that a step has to look at.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from probgen.demo import Measured
from probgen.distributions import Autoregressive
from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.elements import CategoricalElement
from probgen.nn import CompiledSteps, WaveNet

POSITIONS = 300


def seconds(run: Callable[[], object]) -> float:
    """Processor time of a call."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def swept(network: IncrementalNetwork, codes: Tensor) -> list[float]:
    """The processor's clock at each position of a sweep that draws nothing."""
    clock = []

    def draw(start: int, stop: int, _params: Tensor) -> Tensor:
        clock.append(time.process_time())
        return codes[:, start:stop]

    with torch.no_grad():
        network.sweep(draw, codes.shape[:1])
    return clock


def arms(network: WaveNet, batch: int) -> tuple[dict[str, Callable[[], float]], float]:
    """Seconds of a position by each way, and the seconds that compilation took."""
    window, short = network.with_length(network.receptive_field + 1), network.with_length(POSITIONS)
    fast, codes = CompiledSteps(short), torch.randint(0, 256, (batch, window.features)).float()
    compiling = seconds(lambda: swept(fast, codes[:, :POSITIONS]))

    def naive() -> float:
        with torch.no_grad():
            return seconds(lambda: window(codes))

    def steps(of: IncrementalNetwork) -> float:
        clock = swept(of, codes[:, :POSITIONS])
        return (clock[-1] - clock[10]) / (len(clock) - 11)

    def drawn(of: IncrementalNetwork) -> float:
        law = Autoregressive(of, (POSITIONS,), CategoricalElement(256))
        return seconds(lambda: law.sample((batch,))) / POSITIONS

    return {
        "window of 2047 recomputed": naive,
        "steps": lambda: steps(short),
        "compiled steps": lambda: steps(fast),
        "steps, drawing": lambda: drawn(short),
        "compiled steps, drawing": lambda: drawn(fast),
    }, compiling


def measured(network: WaveNet, batch: int, rounds: int) -> tuple[list[list[str]], float]:
    """A row for each way, with the medians of the paired ratios; and the seconds of compilation."""
    ways, compiling = arms(network, batch)
    found: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            found[name].append(ways[name]())
    rows = []
    for name, values in found.items():
        naive = median(theirs / mine for mine, theirs in zip(values, found["window of 2047 recomputed"], strict=True))
        base = found["steps, drawing" if "drawing" in name else "steps"]
        eager = median(theirs / mine for mine, theirs in zip(values, base, strict=True))
        rows.append([str(batch), name, f"{1e3 * median(values):.3f}", f"{naive:.1f}", f"{eager:.2f}"])
    return rows, compiling


def flat_rows(network: WaveNet) -> list[list[str]]:
    """The cost of a position, early and late in one second at 16 kHz."""
    codes, rows = torch.randint(0, 256, (1, 16000)).float(), []
    for name, of in (("steps", network.with_length(16000)), ("compiled steps", CompiledSteps(network.with_length(16000)))):
        clock = swept(of, codes)
        spans = ((100, 2100), (7000, 9000), (13999, 15999))
        each = [1e3 * (clock[stop] - clock[start]) / (stop - start) for start, stop in spans]
        rows.append([name, *(f"{number:.3f}" for number in each)])
    return rows


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.wave_net_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/autoregressive_wave_net_steps.json"))
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = WaveNet(values=256, dilations=10, stacks=2, channels=32)
    rows, compiling = [], {}
    for batch in (1, 16):
        more, compiling[batch] = measured(network, batch, options.rounds)
        rows += more
    size = sum(parameter.numel() for parameter in network.parameters())
    conditions = [
        f"WaveNet, 10 dilations in 2 stacks, 32 channels, 256 codes, {size:,} parameters, the same weights in all rows. "
        "Milliseconds of processor time of one thread a position; medians of "
        f"{options.rounds} rounds in which all ways take turns in one process; a ratio is the median of those within a round. "
        f"Compiling took {compiling[1]:.1f} s for one stream and {compiling[16]:.1f} s for 16. torch {torch.__version__}.",
        *([options.note] if options.note else []),
    ]
    found = Measured("Sampling from a WaveNet, in processor time", conditions)
    header = ["streams", "way", "ms", "faster than the window", "faster than steps"]
    caption = "Rows with drawing have the whole of `sample`, codes drawn; the others the network alone."
    print(found.add(caption, header, rows))
    header = ["one stream of 16 000", "positions 100 to 2 100", "7 000 to 9 000", "14 000 to 16 000"]
    print(found.add("Milliseconds a position, early and late in one draw.", header, flat_rows(network)))
    return found.write(options.out)


if __name__ == "__main__":
    main()
