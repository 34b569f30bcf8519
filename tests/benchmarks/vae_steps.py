"""Steps of autoencoders in processor time of one thread, which another program on the machine disturbs less than the clock.

``python -m tests.benchmarks.vae_steps`` times a step by hand in torch, as Pyro programs and as ``pg.vae.VAE``, in turns within
a round and in one process, then steps of hierarchies of 1, 5 and 20 levels (:mod:`tests.benchmarks.latent_levels`), and writes
``docs/benchmarks/vae_steps.json``, a section of the page of benchmarks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pyro
import torch

from probgen.demo import Measured
from tests.benchmarks import latent_levels
from tests.benchmarks.cases import StepCase
from tests.benchmarks.subjects import step_own, step_torch

COUNTS = (1, 5, 20)


def times(steps: dict[str, Callable[[], None]], rounds: int, calls: int = 15) -> dict[str, list[float]]:
    """Milliseconds of processor time a step, one number a round; the arms take turns."""
    found: dict[str, list[float]] = {name: [] for name in steps}
    names = list(steps)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            steps[name]()
            begin = time.process_time()
            for _ in range(calls):
                steps[name]()
            found[name].append(1e3 * (time.process_time() - begin) / calls)
    return found


def step_rows(rounds: int) -> list[list[str]]:
    """For two sizes, every arm's time and the median of its paired ratios to torch by hand."""
    rows = []
    for hidden, latent in ((400, 20), (32, 8)):
        cases = {kind: StepCase(kind, hidden=hidden, latent=latent) for kind in ("programs", "vae")}
        steps = {"torch by hand": step_torch.build_step(cases["vae"], compiled=False)}
        steps["Pyro programs, infer.ELBO"] = step_own.build_step(cases["programs"], compiled=False)
        steps["vae.VAE, infer.ELBO"] = step_own.build_step(cases["vae"], compiled=False)
        found = times(steps, rounds)
        for name, values in found.items():
            ratio = median(mine / theirs for mine, theirs in zip(values, found["torch by hand"], strict=True))
            rows.append([f"784-{hidden}-{latent}", name, f"{median(values):.2f}", f"{ratio:.2f}"])
    return rows


def level_rows(rounds: int) -> list[list[str]]:
    """Every arm's time at each number of levels, and what a level adds between the last two."""
    rows = []
    for name, found in latent_levels.measure(COUNTS, rounds, compiled=False).items():
        each = (found[COUNTS[-1]] - found[COUNTS[-2]]) / (COUNTS[-1] - COUNTS[-2])
        rows.append([name, *(f"{found[count]:.2f}" for count in COUNTS), f"{each:.2f}"])
    return rows


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.vae_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/vae_steps.json"))
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    conditions = [
        "Milliseconds of processor time of one thread a step, forward, backward and fused Adam (Pyro SVI: its own Adam); "
        f"medians of rounds in which all arms take turns in one process. torch {torch.__version__}.",
        *([options.note] if options.note else []),
    ]
    measured = Measured("Steps of autoencoders, in processor time", conditions)
    header = ["network, batch 128", "step", "ms", "to torch by hand"]
    print(measured.add("The ratio is the median of those within a round.", header, step_rows(options.rounds)))
    header = ["chain of latents, batch 8", *(f"{count} levels, ms" for count in COUNTS), "a level, ms"]
    rows = level_rows(max(1, options.rounds // 4))
    print(measured.add("The networks are the same in all rows, 16 hidden units.", header, rows))
    return measured.write(options.out)


if __name__ == "__main__":
    main()
