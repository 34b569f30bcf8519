"""Turns of adversarial training in processor time of one thread: ``infer.fit`` against loops of two optimizers by hand.

``python -m tests.benchmarks.adversarial_steps`` runs all loops in turns within a round and in one process, on the same
networks, batches and fused Adam, and writes ``docs/benchmarks/gan_steps.json``, a section of the page of benchmarks.

Two loops by hand: one as in most tutorials, whose generator's turn also computes the critic's gradient and throws it away; and
one that freezes the critic meanwhile, as ``infer.fit`` does. What ``fit`` does before its first step is not timed.
"""

from __future__ import annotations

import argparse
import copy
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from probgen.demo import Measured
from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer import Adversarial, Callback, NonSaturating, fit
from probgen.infer.training import Training
from probgen.nn import MLP, DCGANCritic, DCGANGenerator

WARM = 2


class Game:
    """A generator, a critic and a batch.

    Args:
        noise: Numbers of noise.
        generator: From noise to events.
        critic: From events to logits.
        x: The batch.
    """

    def __init__(self, noise: int, generator: nn.Module, critic: nn.Module, x: Tensor) -> None:
        self.noise, self.generator, self.critic, self.x = noise, generator, critic, x


def games() -> dict[str, Game]:
    """The sizes that are timed."""

    def multilayer(width: int, layers: int, outputs: int) -> nn.Module:
        return MLP(2, outputs, hidden=(width,) * layers, activation=nn.ReLU)

    plane, images = torch.randn(256, 2), torch.randn(64, 1, 32, 32)
    return {
        "2-128x2-2, batch 256": Game(2, multilayer(128, 2, 2), multilayer(128, 2, 1), plane),
        "2-256x3-2, batch 256": Game(2, multilayer(256, 3, 2), multilayer(256, 3, 1), plane),
        "DCGAN 32x32, 16 channels, batch 64": Game(
            64, DCGANGenerator((1, 32, 32), 64, channels=16), DCGANCritic((1, 32, 32), channels=16), images
        ),
    }


def adam(parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The optimizer of all loops."""
    return torch.optim.Adam(parameters, 2e-4, betas=(0.5, 0.999), fused=True)


def by_hand(game: Game, *, frozen: bool) -> Callable[[int], float]:
    """A loop of two optimizers; it returns the seconds of so many turns."""
    generator, critic, x = game.generator, game.critic, game.x
    of_generator, of_critic = adam(generator.parameters()), adam(critic.parameters())

    def turn(number: int) -> None:
        noise = torch.randn(len(x), game.noise)
        if number % 2 == 0:
            with torch.no_grad():
                fake = generator(noise)
            loss = softplus(-critic(x)).mean() + softplus(critic(fake)).mean()
            of_critic.zero_grad()
            loss.backward()
            of_critic.step()
            return
        critic.requires_grad_(not frozen)
        loss = softplus(-critic(generator(noise))).mean()
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        critic.requires_grad_(True)

    def run(turns: int) -> float:
        for number in range(WARM):
            turn(number)
        begin = time.process_time()
        for number in range(turns):
            turn(number)
        return time.process_time() - begin

    return run


class Clock(Callback):
    """Reads the processor's time after the warm-up and at the end."""

    def on_step_end(self, training: Training) -> None:
        """Read it."""
        if training.step == WARM:
            self.begin = time.process_time()
        self.end = time.process_time()


def by_fit(game: Game) -> Callable[[int], float]:
    """The same by ``infer.fit``."""
    law = ImplicitLaw(standard_normal(game.noise), game.generator, tuple(game.x.shape[1:]))
    loss = Adversarial(NonSaturating())(law, game.critic)

    def run(turns: int) -> float:
        clock = Clock()
        fit(loss, [game.x] * (WARM + turns), adam, callbacks=[clock], progress=False, accelerator="cpu")
        return clock.end - clock.begin

    return run


def rows(rounds: int, turns: int) -> list[list[str]]:
    """Every loop's time and the median of its ratios, within a round, to the loop that freezes the critic."""
    table = []
    for size, game in games().items():
        arms = {
            "torch by hand": by_hand(copy.deepcopy(game), frozen=False),
            "torch by hand, critic frozen": by_hand(copy.deepcopy(game), frozen=True),
            "infer.fit": by_fit(copy.deepcopy(game)),
        }
        found: dict[str, list[float]] = {name: [] for name in arms}
        names = list(arms)
        for number in range(rounds + 1):
            first = number % len(names)
            for name in names[first:] + names[:first]:
                seconds = arms[name](turns)
                if number:  # the first round warms up
                    found[name].append(1e3 * seconds / turns)
        for name, values in found.items():
            ratios = [mine / theirs for mine, theirs in zip(values, found["torch by hand, critic frozen"], strict=True)]
            table.append([size, name, f"{median(values):.2f}", f"{median(ratios):.3f}"])
    return table


def main(argv: list[str] | None = None) -> Path:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.adversarial_steps", description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--turns", type=int, default=20, help="turns of a loop in a round")
    parser.add_argument("--note", default="", help="a sentence on the machine")
    parser.add_argument("--out", type=Path, default=Path("docs/benchmarks/gan_steps.json"))
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    conditions = [
        "Milliseconds of processor time of one thread a turn, half of them the critic's and half the generator's: "
        "non-saturating loss, forward, backward and fused Adam; medians of rounds in which all loops take turns in one "
        f"process. Most loops by hand do not freeze the critic in the generator's turn. torch {torch.__version__}.",
        *([options.note] if options.note else []),
    ]
    measured = Measured("Adversarial training: a step", conditions)
    header = ["network", "loop", "ms", "to torch, critic frozen"]
    print(measured.add("The ratio is the median of those within a round.", header, rows(options.rounds, options.turns)))
    return measured.write(options.out)


if __name__ == "__main__":
    main()
