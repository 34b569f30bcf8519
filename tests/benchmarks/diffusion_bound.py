"""The bound of a chain three ways: a Pyro site for every state, all terms in one batched call, one random term at one site.

``python -m tests.benchmarks.diffusion_bound --steps 1000`` prints medians of interleaved rounds and their ratios to one site.
The network is a small MLP, the data are 64 vectors of 2; what is timed is one unbiased estimate of the ELBO with its gradient.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median

import pyro
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO

import probgen as pg
from probgen.diffusion.objectives import prior_term, step_term


def subjects(steps: int, batch: int) -> dict[str, Callable[[], None]]:
    """Name to one estimate with its gradient, on the same model and data."""
    torch.manual_seed(0)
    network = pg.nn.DenoisingMLP(2, hidden=(32,), embedding_features=16)
    model = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (2,), steps)
    x = torch.randn(batch, 2)
    loss, program = model.denoising_loss("elbo"), pg.infer.ELBO()(model.single_site_model)
    each = torch.arange(1, steps + 1).unsqueeze(-1).expand(steps, batch)

    def every_term() -> torch.Tensor:
        data = x.expand(steps, batch, 2)
        return step_term(model, data, each, torch.randn_like(data)).nats.sum() + prior_term(model, x).sum()

    estimates = {
        "one site (module)": lambda: loss(x),
        "one site (Pyro program)": lambda: program(x),
        "all terms, one call": every_term,
        "T sites, Trace_ELBO": lambda: Trace_ELBO().differentiable_loss(model.model, model.guide, x),
        "T sites, TraceMeanField_ELBO": lambda: TraceMeanField_ELBO().differentiable_loss(model.model, model.guide, x),
    }

    def with_gradient(estimate: Callable[[], torch.Tensor]) -> Callable[[], None]:
        def run() -> None:
            for parameter in model.parameters():
                parameter.grad = None
            estimate().backward()

        return run

    return {name: with_gradient(estimate) for name, estimate in estimates.items()}


def measure(steps: int, batch: int, rounds: int) -> dict[str, list[float]]:
    """Seconds of every subject in every round, in rotating order."""
    runs = subjects(steps, batch)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    names = list(runs)
    for name in names:
        runs[name]()
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            repeats = 20 if name.startswith("one site") else 1
            start = time.perf_counter()
            for _ in range(repeats):
                runs[name]()
            seconds[name].append((time.perf_counter() - start) / repeats)
    return seconds


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Measure, print, and return the ratios to one site."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.diffusion_bound", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000, help="steps of the chain")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    pyro.enable_validation(False)
    torch.distributions.Distribution.set_default_validate_args(False)
    seconds = measure(options.steps, options.batch, options.rounds)
    base = seconds["one site (module)"]
    ratios = {name: median(a / b for a, b in zip(values, base, strict=True)) for name, values in seconds.items()}
    for name, values in seconds.items():
        print(f"{name:32}{1e3 * median(values):10.2f} ms{ratios[name]:10.1f}x")
    return ratios


if __name__ == "__main__":
    main()
