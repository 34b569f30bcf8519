"""Posterior collapse on the digits: two ways into it, seen by the doctor, and mended by its advice.

python examples/posterior_collapse.py            some ten seconds on one core; writes out/posterior_collapse.html
python examples/posterior_collapse.py --smoke    everything runs, nothing is learned

1. The mean of the squared error over the pixels as reconstruction term: with 64 pixels a decoder of variance 32, where all
pixels
   together vary by less than 5. The doctor sees the variance; the advice is to learn it.
2. A strong decoder: each pixel sees all pixels before it, and has been trained to do without codes. The advice is to keep
   some nats free of charge; raising the weight of the divergence slowly is not enough here, since the decoder comes first.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_binary_digits, load_digits
from probgen.distributions import Autoregressive, standard_normal
from probgen.distributions.elements import BernoulliElement, NetworkLaw, NormalElement
from probgen.infer import ELBO, Annealed
from probgen.plot import Page, diagnosis, table
from probgen.vae import Diagnosis

LATENTS = 8
PIXELS = 64


class StrongDecoder(nn.Module):
    """Each pixel given those before it and the code: one autoregressive law."""

    event_shape = (PIXELS,)

    def __init__(self) -> None:
        super().__init__()
        self.network = pg.nn.MADE(PIXELS, 1, hidden=(128,), context_features=LATENTS)
        self.element = BernoulliElement()

    def forward(self, z: Tensor) -> Autoregressive:
        """The law of the pixels for codes ``[*batch, LATENTS]``."""
        return Autoregressive(self.network, self.event_shape, self.element, context=z)


def gray_vae(element: NormalElement) -> pg.vae.VAE:
    """A model of gray digits with some law of a pixel."""
    torch.manual_seed(0)
    return pg.vae.mlp_vae((PIXELS,), LATENTS, element, hidden=(64,), mean=0.3)


def strong_vae(decoder: StrongDecoder) -> pg.vae.VAE:
    """A model of binary digits with a copy of a trained decoder and a new encoder."""
    torch.manual_seed(0)
    encoder = NetworkLaw(pg.nn.MLP(PIXELS, 2 * LATENTS, hidden=(128,)), NormalElement(), (LATENTS,), (PIXELS,))
    return pg.vae.VAE(standard_normal(LATENTS), copy.deepcopy(decoder), encoder)


def pretrained(x: Tensor, steps: int) -> StrongDecoder:
    """A strong decoder that has learned the data with codes that say nothing."""
    torch.manual_seed(0)
    decoder = StrongDecoder()
    optimizer = torch.optim.Adam(decoder.parameters(), lr=3e-3, fused=True)
    for _ in range(steps):
        batch = x[torch.randint(len(x), (128,))]
        loss = -decoder(torch.randn(128, LATENTS)).log_prob(batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return decoder


def examine(
    vae: pg.vae.VAE, x: Tensor, steps: int, rate: float, objective: Callable[..., pg.infer.Objective] | None = None
) -> Diagnosis:
    """Train, then ask the doctor."""
    torch.manual_seed(0)
    optimizer = lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True)  # noqa: E731
    pg.infer.fit(vae.loss(objective), Batches(x, 128, seed=0), optimizer, steps=steps, progress=False)
    return pg.vae.diagnose(vae, x[:600], training_steps=steps)


def row(name: str, found: Diagnosis) -> list[object]:
    """A row of the table."""
    return [name, f"{found.num_active} / {found.num_units}", round(found.information, 3), round(found.elbo, 2)]


def mean_squared_error(steps: int) -> list[tuple[str, Diagnosis]]:
    """The first case, before and after."""
    x = load_digits().train.x.flatten(1).float() / 16
    sick = examine(gray_vae(NormalElement(math.sqrt(PIXELS / 2))), x, steps, 3e-3)
    element = next(advice.objects[0] for advice in sick.advice if isinstance(advice.objects[0], NormalElement))
    return [("mean squared error + KL", sick), (f"as advised: {element}", examine(gray_vae(element), x, steps, 3e-3))]


def strong_decoder(steps: int) -> list[tuple[str, Diagnosis]]:
    """The second case: before, with the first advice, and with annealing."""
    x = load_binary_digits().train.x.flatten(1)
    decoder = pretrained(x, steps)
    sick = examine(strong_vae(decoder), x, steps, 1e-3)
    found = [("strong decoder", sick)]
    for value in [value for advice in sick.advice for value in advice.objects]:
        objective = ELBO(kl_weight=value) if isinstance(value, Annealed) else ELBO(free_bits=value)
        name = f"annealed, cycles: {value.cycles}" if isinstance(value, Annealed) else repr(value)
        found.append((f"as advised: {name}", examine(strong_vae(decoder), x, steps, 1e-3, objective)))
    return found


def main(argv: Sequence[str] | None = None) -> list[tuple[str, Diagnosis]]:
    """Train, diagnose, mend, and write a page; return all diagnoses."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    parser.add_argument("--steps", type=int, default=500, help="training steps of every model")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the page")
    options = parser.parse_args(argv)
    steps = 5 if options.smoke else options.steps
    found = mean_squared_error(steps) + strong_decoder(steps)
    header, rows = ["model", "active units", "information / nats", "ELBO / nats"], [row(name, one) for name, one in found]
    print(table(header, rows))
    page = Page("Posterior collapse on the digits")
    page.table(header, rows)
    for name, one in found:
        print(f"\n{name}\n\n{one}")
        page.heading(name)
        page.figure(diagnosis(one), str(one.advice[0]) if one.advice else "No advice.")
    print(f"\n{page.write(options.out / 'posterior_collapse.html')}")
    return found


if __name__ == "__main__":
    main()
