"""A convolutional variational autoencoder of the ORL faces or of Fashion-MNIST, with exact levels of gray: pictures and bits.

PROBGEN_DATA=folder python examples/faces_vae.py --data faces --minutes 5
python examples/faces_vae.py --smoke     seconds; without the data, on the embedded digits enlarged

Pixels keep 32 levels; the decoder is a discretized logistic law of every pixel, whose masses sum to one, so the bound is one of
a code length. Faces are halved to 46 x 56 pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_faces, load_fashion_mnist, load_or_stand_in
from probgen.demo import Measured, software
from probgen.distributions import Quantization
from probgen.distributions.elements import DiscretizedLogisticElement
from probgen.distributions.latent import active_units
from probgen.infer import Annealed, TimeBudget, fit
from probgen.metrics import bits_per_dim
from probgen.plot import image_grid

LEVELS = Quantization(32, -1.0, 1.0)


def load(name: str, *, smoke: bool) -> tuple[str, Tensor, Tensor]:
    """The name of the data; training and test images ``[n, 1, H, W]`` at the centers of 32 levels."""
    load_images, size = (load_faces, (112, 92)) if name == "faces" else (load_fashion_mnist, (28, 28))
    found = load_or_stand_in(load_images, size, stand_in=smoke)
    parts = [split.x.unsqueeze(1).float() / 255 for split in (found.train, found.test)]
    if name == "faces":
        parts = [nn.functional.avg_pool2d(part, 2) for part in parts]
    first, second = (LEVELS.decode((part * 31).round().long()) for part in parts)
    return found.name if found.name == "enlarged digits" else name, first, second


def flipped(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror images at random."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, x.flip(-1), x)


class PerPixel(nn.Module):
    """The bound per pixel, so that gradients do not grow with the image."""

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor) -> Tensor:
        """The loss of a batch."""
        return self.loss(x) / x.numel()


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("faces", "fashion"), default="faces")
    parser.add_argument("--minutes", type=float, default=5.0, help="training time of the processor")
    parser.add_argument("--latent", type=int, default=64)
    parser.add_argument("--draws", type=int, default=100, help="importance samples of every test image")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, few images")
    options = parser.parse_args(argv)
    smoke = options.smoke
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name, x, test = load(options.data, smoke=smoke)
    test = test[: 10 if smoke else 500]
    element = DiscretizedLogisticElement(LEVELS)
    vae = pg.vae.conv_vae(
        x.shape[1:], options.latent, element, width=8 if smoke else 16, multipliers=(1, 2, 4, 4), mean=x.mean(0)
    )
    budget = TimeBudget(60 * options.minutes)
    beta = Annealed(0.1, 1.0, steps=500)
    history = fit(
        PerPixel(vae.loss(pg.infer.ELBO(kl_weight=beta))),
        Batches(x, 16 if smoke else 32, seed=0, drop_last=True, transform=flipped if name == "faces" else None),
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3, fused=True),
        steps=2 if smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=1.0,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    vae.eval()
    law, pixels = vae.distribution(), x[0].numel()
    draws = 4 if smoke else options.draws
    with torch.no_grad():
        nats = torch.cat([law.log_prob_estimate(part, draws, draws_at_once=10).value for part in test.split(20)])
        bounds = torch.cat([law.elbo(part, 4) for part in test.split(20)])
        train_bounds = torch.cat([law.elbo(part, 4) for part in x[: len(test)].split(20)])
        used = active_units(vae.encode(test))
        again, drawn = vae.decode(vae.encode(test[:10]).mean).mean, vae.decode(vae.latent_law().sample((20,))).mean
    rows = [
        ["importance sampling, test", f"<= {bits_per_dim(nats, pixels)}"],
        ["negative ELBO, test", f"<= {bits_per_dim(bounds, pixels)}"],
        ["negative ELBO, training", f"<= {bits_per_dim(train_bounds, pixels)}"],
    ]
    found = Measured(f"A convolutional variational autoencoder of {name}, {x.shape[-1]}x{x.shape[-2]}, 32 levels of gray")
    size = sum(parameter.numel() for parameter in vae.parameters())
    found.conditions = [
        f"{history.steps} steps in {budget.spent:.0f} s of one core, {size:,} parameters, {len(x)} training and {len(test)} "
        f"test images, {draws} importance samples; {int(used.sum())} of {len(used)} units active. {software()}.",
        options.condition,
    ]
    print(found.conditions[0])
    print(found.add("Bits per pixel (5 is a uniform law).", ["how", "bits"], rows))
    stem = f"vae_{name.replace(' ', '_')}_gray"
    print(found.write(options.out / f"{stem}.json"))
    try:
        shown = torch.cat([test[:10], again, drawn])[:, 0].clamp(-1, 1)  # a grid shows high values dark, as ink
        image_grid(-shown if name == "faces" else shown, columns=10, size=0.9).savefig(options.out / f"{stem}.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
