"""Latent diffusion on digits: an autoencoder, a chain as its prior, in two stages and then end to end."""

from __future__ import annotations

import argparse
import math

import pyro.distributions as dist
import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import load_digits
from probgen.distributions import DiscretizedNormal, Quantization
from probgen.distributions.chains import UnitPrior

LATENT, LEVELS = 8, Quantization(17, -1.0, 1.0)
SHADES = " .:-=+*#%@"


class Law(nn.Module):
    """An MLP with a law at its end: a normal one, or a discretized one for data with levels."""

    def __init__(self, inputs: int, outputs: int, levels: Quantization | None = None) -> None:
        super().__init__()
        self.levels = levels
        self.body = nn.Sequential(
            nn.Linear(inputs, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 2 * outputs)
        )

    def forward(self, x: Tensor) -> dist.TorchDistribution:
        """The law given ``[n, inputs]``."""
        loc, log_scale = self.body(x).chunk(2, -1)
        if self.levels is None:
            return dist.Normal(loc, log_scale.clamp(-7, 3).exp()).to_event(1)
        return DiscretizedNormal(loc, log_scale.clamp(-4, 3).exp(), self.levels).to_event(1)


def ascii_images(x: Tensor) -> str:
    """Images ``[n, 64]`` in [-1, 1] side by side, as characters."""
    shade = ((x.reshape(-1, 8, 8) + 1) / 2 * (len(SHADES) - 1)).round().long().clamp(0, len(SHADES) - 1).tolist()
    return "\n".join("  ".join("".join(SHADES[k] * 2 for k in image[row]) for image in shade) for row in range(8))


def main(argv: list[str] | None = None) -> float:
    """Train in two stages, then end to end; print bounds and draws; return the last bound in bits/dim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    steps, repeats = (40, 1) if options.smoke else (500, 20)
    digits = load_digits()
    train, test = (LEVELS.decode(part.x.flatten(1).long()) for part in (digits.train, digits.test))
    prior = pg.diffusion.Diffusion(
        pg.nn.DenoisingMLP(LATENT, hidden=(256, 256)), pg.diffusion.cosine_schedule(), (LATENT,), grid=200, spread=UnitPrior()
    )
    model = pg.diffusion.LatentDiffusion(Law(64, LATENT), Law(LATENT, 64, LEVELS), prior, event_shape=(64,))

    def fit(objective: nn.Module, rate: float) -> None:
        batches = (train[torch.randint(len(train), (128,))] for _ in range(steps))
        pg.infer.fit(objective, batches, lambda p: torch.optim.Adam(p, lr=rate), progress=not options.smoke)

    def bits(nats: Tensor) -> float:
        return float(nats.detach().mean()) / 64 / math.log(2)

    held_out = test.repeat(repeats, 1)
    fit(model.autoencoder_loss(kl_weight=0.002), 2e-3)
    print(f"autoencoder under a standard normal prior: {bits(model.autoencoder_loss(1.0)(held_out)):.3f} bits/dim")
    model.standardize(train)
    print(f"latents: shift {float(model.shift):.3f}, scale {float(model.scale):.3f}")
    fit(model.denoising_loss(), 2e-3)
    print(f"with a chain as prior, two stages: {bits(-model.bound(held_out)):.3f} bits/dim")
    fit(model.loss(), 5e-4)
    found = bits(-model.bound(held_out))
    print(f"then end to end: {found:.3f} bits/dim (uniform: {LEVELS.uniform_bits:.3f})")
    print(ascii_images(model.distribution().sample((5,))))
    return found


if __name__ == "__main__":
    main()
