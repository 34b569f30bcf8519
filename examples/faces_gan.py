"""A DCGAN of 320 gray faces: what keeps a critic from learning them by heart, and whether the generator did.

PROBGEN_DATA=folder python examples/faces_gan.py --minutes 6
python examples/faces_gan.py --smoke     seconds; without the data, on the embedded digits enlarged

The ORL faces, halved to 46 x 56 pixels and mirrored at random. Data and draws both pass through random shifts, changes of light
and holes before the critic sees them (differentiable augmentation), and R1 bounds its slope at the data. Two questions about
the draws: how far is their law from that of the faces (kernel distance of small images, against that of held-out faces), and
are they copies (distance to the nearest training face, against that of held-out faces of the same people)?
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_faces, load_or_stand_in
from probgen.demo import Measured, software
from probgen.infer import EMA, R1, Adversarial, DifferentiableAugmentation, GaussianKernel, NonSaturating, TimeBudget, fit
from probgen.metrics import MeanError, PixelFeatures, kernel_distance, mean_and_error

NOISE = 64


def load(*, smoke: bool) -> tuple[str, Tensor, Tensor]:
    """The name of the data; training and held-out images ``[n, 1, 56, 46]`` in [-1, 1]."""
    faces = load_or_stand_in(load_faces, (112, 92), stand_in=smoke)
    train, held_out = faces.train.x[:320], torch.cat([faces.validation.x, faces.test.x])[:80]
    parts = [nn.functional.avg_pool2d(x.unsqueeze(1).float() / 127.5 - 1, 2) for x in (train, held_out)]
    return faces.name, parts[0], parts[1]


def flipped(x: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror images at random."""
    mirrored = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, x.flip(-1), x)


def small(x: Tensor) -> Tensor:
    """Images as vectors of 14 x 11 pixels: light, pose and shape, not the grain."""
    pooled = nn.functional.avg_pool2d(x, 4)
    return PixelFeatures(tuple(pooled.shape[1:]))(pooled)


def nearest(x: Tensor, train: Tensor) -> MeanError:
    """Root mean square difference of a pixel to the nearest training image or its mirror image."""
    known = torch.cat([train, train.flip(-1)]).flatten(1)
    return mean_and_error(torch.cdist(x.flatten(1), known).amin(1) / known.shape[1] ** 0.5)


def train_law(x: Tensor, options: argparse.Namespace) -> tuple[nn.Module, TimeBudget, int]:
    """The law with averaged weights, the time it took, and the rounds."""
    law, critic = pg.gan.dcgan(tuple(x.shape[1:]), NOISE, channels=24, critic_normalization="none")
    loss = Adversarial(NonSaturating(), penalties=[R1(1.0)], augmentation=DifferentiableAugmentation())(law, critic)
    budget, average = TimeBudget(60 * options.minutes, warm_up=0.02), EMA(law, 0.995)
    history = fit(
        loss,
        Batches(x, 16 if options.smoke else 32, seed=0, drop_last=True, transform=flipped),
        lambda parameters: torch.optim.Adam(parameters, lr=5e-4, betas=(0.0, 0.99), fused=True),
        steps=4 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        ema=average,
        callbacks=[budget],
        log_every=200,
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    with torch.no_grad():
        for _ in range(50):  # statistics of batch normalization that go with the averaged weights
            law().sample((32,))
    return law.eval(), budget, len(history.losses) // 2


def picture(law: nn.Module, x: Tensor, path: Path) -> None:
    """A row of faces, three of draws, two on arcs between draws."""
    from probgen.plot import image_grid

    with torch.no_grad():
        start, end = law().base_dist.sample((2,)), law().base_dist.sample((2,))
        between = pg.gan.draws_between(law(), start, end, torch.linspace(0, 1, 12)).transpose(0, 1).flatten(0, 1)
        shown = torch.cat([x[::27][:12], law().sample((36,)), between]).squeeze(1)
    image_grid(0.5 - shown.clamp(-1, 1) / 2, columns=12, size=0.7).savefig(path, dpi=110)


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="training time of the processor")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two rounds")
    options = parser.parse_args(argv)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name, x, held_out = load(smoke=options.smoke)
    law, budget, rounds = train_law(x, options)
    with torch.no_grad():
        draws = law().sample((320,))
    kernel = GaussianKernel((2.0, 4.0, 8.0))
    rows = [
        ["held-out images", str(kernel_distance(small(x), small(held_out), kernel=kernel)), str(nearest(held_out, x))],
        ["draws", str(kernel_distance(small(x), small(draws), kernel=kernel)), str(nearest(draws, x))],
    ]
    found = Measured(f"A generative adversarial network of {name}, {options.minutes:g} minutes of one core")
    found.conditions = [
        f"{rounds} rounds of 32 images in {budget.spent:.0f} s of one core; DCGAN of {NOISE} numbers of noise, non-saturating "
        f"with R1(1) and differentiable augmentation, averaged weights; {len(x)} training images, {len(held_out)} others of "
        "the same people, 320 draws. Squared kernel distance to the training images in 14x11 pixels, Gaussian kernels; root "
        f"mean square difference to the nearest training image. {software()}.",
        *([options.condition] if options.condition else []),
    ]
    header = ["images", "kernel distance", "to the nearest"]
    print(found.add("Draws should be as far from the data as held-out images are.", header, rows))
    options.out.mkdir(parents=True, exist_ok=True)
    print(found.write(options.out / "gan_faces.json"))
    try:
        picture(law, x, options.out / "gan_faces.png")
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
