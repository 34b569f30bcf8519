"""Discrete diffusion on digits with four gray levels: masked, uniform and Gaussian jumps, by one bound and one chain."""

from __future__ import annotations

import argparse
import math

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import load_digits
from probgen.diffusion import CategoricalDiffusion, categorical_bound_terms

SHADES = " .+#"


class Network(nn.Module):
    """An MLP from the one-hot states and the noise level to logits of the data."""

    def __init__(self, states: int, values: int = 4, size: int = 64, hidden: int = 512) -> None:
        super().__init__()
        self.states, self.values = states, values
        self.body = nn.Sequential(
            nn.Linear(states * size + 1, hidden),
            nn.SiLU(),
            nn.Linear(hidden, hidden),
            nn.SiLU(),
            nn.Linear(hidden, values * size),
        )

    def forward(self, x: Tensor, log_snr: Tensor, context: Tensor | None = None) -> Tensor:
        """States ``[N, 64]`` to logits ``[N, 64, values]``."""
        one_hot = nn.functional.one_hot(x, self.states).flatten(1).to(log_snr)
        level = torch.tanh(log_snr / 4).unsqueeze(-1)
        return self.body(torch.cat([one_hot, level], -1)).unflatten(-1, (x.shape[1], self.values))


def ascii_images(x: Tensor) -> str:
    """Integer images ``[n, 64]`` side by side, as characters."""
    rows = x.reshape(-1, 8, 8).tolist()
    return "\n".join("  ".join("".join(SHADES[k] * 2 for k in image[row]) for image in rows) for row in range(8))


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train one model for each kind of jumps; print bounds and draws; return bits/dim by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    steps, grid, rows = (20, 8, 16) if options.smoke else (1000, 64, 397)
    digits = load_digits()
    train, test = ((part.x.long() * 4 // 17).flatten(1) for part in (digits.train, digits.test))
    found = {}
    for kind, states in (("absorbing", 5), ("uniform", 4), ("gaussian", 4)):
        model = CategoricalDiffusion(Network(states), 4, (64,), kind, grid=grid)
        batches = (train[torch.randint(len(train), (128,))] for _ in range(steps))
        optimizer = lambda p: torch.optim.Adam(p, lr=1e-3)  # noqa: E731
        pg.infer.fit(model.loss(auxiliary=0.01), batches, optimizer, progress=not options.smoke)
        terms = categorical_bound_terms(model, test[:rows]).sum(-1)
        found[kind] = float(terms.mean()) / 64 / math.log(2)
        print(f"{kind}: at most {found[kind]:.3f} bits/dim on test digits (uniform law: 2)")
        print(ascii_images(model.sample((5,))))
    return found


if __name__ == "__main__":
    main()
