"""Complete binary digits of which some pixels are known: a prefix exactly, any pixels by sequential Monte Carlo.

A masked network learns the digits in seconds. For each way to hide pixels: the log-probability of what is seen, how many
particles count, and how much less probable the images are that clamping makes.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

import probgen as pg
from probgen.distributions import Autoregressive
from probgen.distributions.autoregressive import ParticleCompletion
from probgen.distributions.elements import BernoulliElement


def fitted(images: Tensor, steps: int) -> Autoregressive:
    """A masked network, trained by maximum likelihood."""
    network = pg.nn.MADE(64, 1, hidden=(300,))
    law = Autoregressive(network, (8, 8), BernoulliElement())
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3, weight_decay=1e-4)
    for _ in range(steps):
        loss = -law.log_prob(images[torch.randint(len(images), (128,))]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return law


def ascii_rows(images: Tensor, known: Tensor | None = None) -> str:
    """Images ``[n, 8, 8]`` side by side; unknown pixels as question marks."""
    rows = []
    for row in range(8):
        line = []
        for image in images:
            marks = [" ?" if known is not None and not known[row, k] else " #" if image[row, k] else " ." for k in range(8)]
            line.append("".join(marks))
        rows.append("   ".join(line))
    return "\n".join(rows)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train, complete, print; returns how many nats clamping loses for each way to hide pixels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps and particles")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    digits = pg.data.load_binary_digits()
    train, test = (part.x.float().reshape(-1, 8, 8) for part in (digits.train, digits.test))
    law = fitted(train, 20 if options.smoke else 500)
    with torch.no_grad():
        print(f"test: {-law.log_prob(test).mean():.2f} nats an image")
    x, particles = test[:4], 16 if options.smoke else 200
    upper = torch.zeros(8, 8, dtype=torch.bool)
    upper[:4] = True
    lost: dict[str, float] = {}
    for name, known in (("upper half", upper), ("lower half", ~upper), ("third", torch.rand(8, 8) < 0.33)):
        rest = law.given(x, known, num_particles=particles)
        print(f"\nknown: {name}; {type(rest).__name__}, log p(known): {rest.log_evidence()}")
        print(ascii_rows(x, known), ascii_rows(rest.sample()), sep="\n\n")
        if isinstance(rest, ParticleCompletion):
            size = rest.particles().effective_sample_size
            clamped = law.given(x, known, num_particles=1).sample((200,))
            with torch.no_grad():
                lost[name] = float(law.log_prob(rest.sample((20,))).mean() - law.log_prob(clamped).mean())
            print(
                f"\n{size.min():.0f} to {size.max():.0f} of {particles} particles count; clamping loses {lost[name]:.1f} nats"
            )
    return lost


if __name__ == "__main__":
    main()
