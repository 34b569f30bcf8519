"""Latent-variable models of the 8x8 digits in black and white: nats a test image by importance sampling.

python examples/digits_vae.py            a minute on one core; writes out/vae_digits.json and a picture
python examples/digits_vae.py --smoke    seconds

The images are those of `load_binary_digits`: 1 150 to train, 147 to choose settings, 500 to test. Settings were chosen on the
147 alone (`--validate` scores them there); the models that are tested are trained on all 1 297 others, for as many steps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_binary_digits
from probgen.demo import Measured, software
from probgen.distributions.latent import active_units
from probgen.infer import EMA, IWAE, fit
from probgen.metrics import mean_and_error
from probgen.plot import image_grid

CHOSEN = {
    "VAE": {"particles": 1, "steps": 8_000, "rate": 3e-3},
    "IWAE-10": {"particles": 10, "steps": 4_000, "rate": 4e-3},
}
HEADER = ["model", "nats an image", "negative ELBO", "training images", "active units", "steps", "CPU s"]


class Mean(nn.Module):
    """A loss that is a sum over the batch, as a mean."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor) -> Tensor:
        """The mean loss of a datum."""
        return self.loss(x) / len(x)


def build(x: Tensor) -> pg.vae.VAE:
    """16 latents, 128 hidden units; the decoder's last bias starts at the frequencies of the pixels."""
    frequency = x.mean(0)
    vae = pg.vae.mlp_vae((64,), latent=16, hidden=(128,), mean=frequency)
    with torch.no_grad():
        vae.decoder.network.layers[-1].bias.copy_(frequency.clamp(0.01, 0.99).logit())
    return vae


def train(vae: pg.vae.VAE, x: Tensor, *, particles: int, steps: int, rate: float) -> EMA:
    """Batches of 64, a learning rate that falls to zero along a cosine; return the average of the weights."""
    objective = IWAE(particles, gradient="doubly_reparameterized") if particles > 1 else None
    average = EMA(vae, 0.995)
    fit(
        Mean(vae.loss(objective)),
        Batches(x, 64, seed=0, drop_last=True),
        lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        ema=average,
        progress=False,
        accelerator="cpu",
    )
    vae.eval()
    return average


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validate", action="store_true", help="train on 1 150 images, score the 147")
    parser.add_argument("--draws", type=int, default=5000, help="importance samples of every image")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = load_binary_digits()
    train_x, held_out, test = (split.x.flatten(1) for split in (digits.train, digits.validation, digits.test))
    x, scored = (train_x, held_out) if options.validate else (torch.cat([train_x, held_out]), test)
    draws = 10 if options.smoke else options.draws
    rows, pictures = [], []
    for name, setting in CHOSEN.items():
        torch.manual_seed(options.seed)
        begin, vae = time.process_time(), build(x)
        steps = 20 if options.smoke else setting["steps"]
        average = train(vae, x, particles=setting["particles"], steps=steps, rate=setting["rate"])
        seconds, law = time.process_time() - begin, vae.distribution()
        with torch.no_grad(), average.applied():
            nats = mean_and_error(-law.log_prob_estimate(scored, draws, draws_at_once=250).value)
            bound = mean_and_error(-law.elbo(scored, 100))
            used = active_units(vae.encode(x))
            z = vae.encode(scored[:10]).mean
            pictures += [scored[:10], vae.decode(z).mean, vae.decode(vae.latent_law().sample((20,))).mean]
        active = f"{int(used.sum())} of {len(used)}"
        rows.append([name, str(nats), str(bound), str(len(x)), active, str(steps), f"{seconds:.0f}"])
        print(rows[-1], flush=True)
    found = Measured("Variational autoencoders on the digits, 8x8, black and white")
    found.conditions = [
        f"{len(scored)} {'validation' if options.validate else 'test'} images, importance sampling with {draws} draws, which "
        f"gives an upper bound in expectation; ± one standard error over images; seed {options.seed}. {software()}.",
        options.condition,
    ]
    print(found.add("Nats an image; lower is better.", HEADER, rows))
    print(found.write(options.out / "vae_digits.json"))
    try:
        image_grid(torch.cat(pictures).reshape(-1, 8, 8), columns=10).savefig(options.out / "vae_digits.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
