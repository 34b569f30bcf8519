"""What a further level of latents costs in a step of optimization: one shared pass, our programs, Pyro, torch by hand.

``python -m tests.benchmarks.latent_levels`` prints milliseconds of processor time a step at 1, 5 and 20 levels, and what a
level between 5 and 20 adds. All arms use the same networks: a Markov chain of latents of size 4, one hidden layer of 16
units, 16 binary pixels, batches of 8, so that bookkeeping is what is measured. "Pyro SVI" is ``SVI`` with ``Trace_ELBO``
and ``pyro.optim.Adam``; all others take fused Adam. Validation is off everywhere.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from torch import Tensor, nn

import probgen as pg
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement

Step = Callable[[], None]
PIXELS, LATENT, HIDDEN, BATCH = 16, 4, 16, 8


def build(levels: int) -> pg.vae.TopDownVAE:
    """A Markov chain of latents with direct posteriors from features of the data."""
    torch.manual_seed(0)

    def law(network: nn.Module, inputs: int) -> NetworkLaw:
        return NetworkLaw(network, NormalElement(), (LATENT,), (inputs,))

    found, blocks, size = [], [], PIXELS
    for k in range(levels):
        top = k == levels - 1
        prior = None if top else law(pg.nn.MLP(LATENT, 2 * LATENT, hidden=(HIDDEN,)), LATENT)
        correction = law(nn.Linear(HIDDEN, 2 * LATENT), HIDDEN)
        found.append(pg.vae.Level((LATENT,), () if top else (LATENT,), prior=prior, correction=correction))
        blocks.append(nn.Sequential(nn.Linear(size, HIDDEN), nn.ReLU()))
        size = HIDDEN
    decoder = NetworkLaw(pg.nn.MLP(LATENT, PIXELS, hidden=(HIDDEN,)), BernoulliElement(), (PIXELS,), (LATENT,))
    return pg.vae.TopDownVAE(found, decoder, blocks, posterior="direct")


class ByHand(nn.Module):
    """The same model as one writes it, with the networks of ``vae``: plain modules and torch's or Pyro's laws."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.blocks = vae.encoder
        self.heads = nn.ModuleList(level.correction.network for level in vae.levels)
        self.priors = nn.ModuleList(level.prior.network for level in vae.levels if level.prior is not None)
        self.decoder = vae.decoder.network

    def posteriors(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Mean and log standard deviation of every level, from the data up."""
        found = []
        for block, head in zip(self.blocks, self.heads, strict=True):
            x = block(x)
            found.append(head(x).chunk(2, -1))
        return found

    def model(self, x: Tensor) -> None:
        """As a Pyro program."""
        with pyro.plate("data", len(x)):
            zeros = x.new_zeros(len(x), LATENT)
            z = pyro.sample(f"z_{len(self.heads)}", dist.Normal(zeros, torch.ones_like(zeros)).to_event(1))
            for k in reversed(range(len(self.priors))):
                loc, log_scale = self.priors[k](z).chunk(2, -1)
                z = pyro.sample(f"z_{k + 1}", dist.Normal(loc, log_scale.exp()).to_event(1))
            pyro.sample("x", dist.Bernoulli(logits=self.decoder(z)).to_event(1), obs=x)

    def guide(self, x: Tensor) -> None:
        """As a Pyro program."""
        with pyro.plate("data", len(x)):
            for k, (loc, log_scale) in reversed(list(enumerate(self.posteriors(x)))):
                pyro.sample(f"z_{k + 1}", dist.Normal(loc, log_scale.exp()).to_event(1))

    def loss(self, x: Tensor) -> Tensor:
        """In plain torch, divergences in closed form."""
        total, p_loc, p_log = x.new_zeros(()), None, None
        for k, (loc, log_scale) in reversed(list(enumerate(self.posteriors(x)))):
            z = loc + log_scale.exp() * torch.randn_like(loc)
            if p_loc is None or p_log is None:
                kl = 0.5 * ((2 * log_scale).exp() + loc**2 - 1) - log_scale
            else:
                kl = p_log - log_scale + 0.5 * ((2 * (log_scale - p_log)).exp() + ((loc - p_loc) * (-p_log).exp()) ** 2 - 1)
            total = total + kl.sum()
            if k:
                p_loc, p_log = self.priors[k - 1](z).chunk(2, -1)
        return total + nn.functional.binary_cross_entropy_with_logits(self.decoder(z), x, reduction="sum")


def steps(levels: int, *, compiled: bool) -> dict[str, Step]:
    """Name to one step of optimization."""
    vae = build(levels)
    hand, bound, programs = ByHand(vae), pg.vae.HierarchicalBound(vae), vae.loss()
    x = (torch.rand(BATCH, PIXELS, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    losses: dict[str, Callable[[], Any]] = {
        "shared pass": lambda: bound(x),
        "infer.ELBO": lambda: programs(x),
        "Pyro Trace_ELBO": lambda: Trace_ELBO().differentiable_loss(hand.model, hand.guide, x),
        "torch by hand": lambda: hand.loss(x),
    }
    if compiled:
        fast = pg.infer.compile(bound)
        losses["shared pass, compiled"] = lambda: fast(x)
    optimizer = torch.optim.Adam(vae.parameters(), lr=1e-4, fused=True)

    def optimized(loss: Callable[[], Any]) -> Step:
        def run() -> None:
            optimizer.zero_grad(set_to_none=True)
            loss().backward()
            optimizer.step()

        return run

    return {name: optimized(loss) for name, loss in losses.items()} | {"Pyro SVI": svi_step(hand, x)}


def svi_step(hand: ByHand, x: Tensor) -> Step:
    """As the tutorials of Pyro do it."""

    def model(x: Tensor) -> None:
        pyro.module("hand", hand)
        hand.model(x)

    def guide(x: Tensor) -> None:
        pyro.module("hand", hand)
        hand.guide(x)

    pyro.clear_param_store()
    svi = SVI(model, guide, pyro.optim.Adam({"lr": 1e-4}), Trace_ELBO())

    def run() -> None:
        svi.step(x)

    return run


def measure(counts: tuple[int, ...], rounds: int, *, compiled: bool) -> dict[str, dict[int, float]]:
    """Arm to number of levels to median milliseconds of processor time; the arms take turns within a round."""
    times: dict[str, dict[int, list[float]]] = {}
    for count in counts:  # one after the other: Pyro's parameters are global
        runs = steps(count, compiled=compiled)
        for number in range(rounds + 1):
            for name, run in runs.items():
                begin = time.process_time()
                for _ in range(10):
                    run()
                if number:  # the first round warms
                    times.setdefault(name, {}).setdefault(count, []).append(100 * (time.process_time() - begin))
    return {name: {count: median(values) for count, values in found.items()} for name, found in times.items()}


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measure, print, and return the milliseconds that a level adds, by arm."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.latent_levels", description=__doc__)
    parser.add_argument("--levels", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--compiled", action="store_true", help="the shared pass by torch.compile too: some minutes")
    options = parser.parse_args(argv)
    counts = tuple(options.levels)
    torch.set_num_threads(1)
    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    found = measure(counts, options.rounds, compiled=options.compiled)
    each = {name: (times[counts[-1]] - times[counts[-2]]) / (counts[-1] - counts[-2]) for name, times in found.items()}
    print("levels".ljust(24) + "".join(f"{count:10d}" for count in counts) + "   a level")
    for name, times in found.items():
        print(name.ljust(24) + "".join(f"{times[count]:8.2f}ms" for count in counts) + f"{each[name]:8.3f}ms")
    return each


if __name__ == "__main__":
    main()
