"""What one site is worth: an autoregressive law scored as one distribution, and as a site for every position.

``python -m tests.benchmarks.autoregressive_sites`` prints milliseconds of processor time of one thread for scoring a batch of
32 binary events of 16 to 784 positions under a Markov network, both ways, and their ratio; the two take turns within a round.
Validation is off.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pyro
import torch
from pyro import poutine
from torch import Tensor, nn
from torch.nn import functional

from probgen.distributions import Autoregressive
from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.elements import BernoulliElement

BATCH = 32


class MarkovNetwork(IncrementalNetwork):
    """The logit of a position from the position before it: the cheapest network there is, so that sites are what is timed."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features, self.num_outputs = features, 1
        self.slope = nn.Parameter(torch.tensor(2.0))

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """One position a level."""
        return tuple((k,) for k in range(self.features))

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """All logits, ``[*batch, D, 1]``."""
        return (self.slope * functional.pad(2 * values[..., :-1] - 1, (1, 0))).unsqueeze(-1)

    def init_state(self, batch_shape: Any, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Nothing is remembered."""
        return self.slope.new_zeros(*batch_shape, 0), self.slope.new_zeros(*batch_shape, 1, 1)

    def step(self, state: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """The logit of the next position."""
        return state, (self.slope * (2 * values - 1)).unsqueeze(-1)


def arms(positions: int) -> dict[str, Callable[[], Tensor]]:
    """Name to a function that scores the same events."""
    law = Autoregressive(MarkovNetwork(positions), (positions,), BernoulliElement())
    x = law.sample((BATCH,))
    program = law.as_sites()
    data = program.data(x)

    def one() -> None:
        with pyro.plate("data", BATCH):
            pyro.sample("x", law, obs=x)

    def many() -> None:
        with pyro.plate("data", BATCH):
            pyro.condition(program, data=data)()

    def scored(model: Callable[[], None]) -> Callable[[], Tensor]:
        return lambda: torch.as_tensor(poutine.trace(model).get_trace().log_prob_sum())

    return {"one site": scored(one), "a site a position": scored(many)}


def rows(sizes: tuple[int, ...], rounds: int) -> list[list[str]]:
    """Positions, milliseconds of both ways, their ratio: medians over rounds in which the two take turns."""
    found = []
    for positions in sizes:
        ways = arms(positions)
        first, second = (float(way().detach()) for way in ways.values())
        if abs(first - second) > 1e-3 * abs(first):
            raise RuntimeError(f"the two ways disagree: {first} and {second}.")
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                calls = 20 if name == "one site" else 1
                begin = time.process_time()
                for _ in range(calls):
                    way()
                times[name].append(1e3 * (time.process_time() - begin) / calls)
        one, many = (median(values) for values in times.values())
        found.append([str(positions), f"{one:.2f}", f"{many:.1f}", f"{many / one:.0f}"])
    return found


def main(argv: list[str] | None = None) -> list[list[str]]:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.autoregressive_sites", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 256, 784])
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    table = rows(tuple(options.sizes), options.rounds)
    print("positions  one site, ms  a site a position, ms  ratio")
    for row in table:
        print(f"{row[0]:>9}{row[1]:>14}{row[2]:>23}{row[3]:>7}")
    return table


if __name__ == "__main__":
    main()
