"""Generative adversarial networks on Fashion-MNIST, four minutes of one core each: distances of features, fidelity, diversity.

python examples/fashion_gan.py --model dcgan --minutes 4       also wgan_gp and sngan; each run adds its row to one table
python examples/fashion_gan.py --data digits --minutes 1       the embedded 8x8 digits instead
python examples/fashion_gan.py --smoke                         seconds

`dcgan` is the non-saturating loss with R1, `wgan_gp` the Wasserstein distance with a gradient penalty on the same networks
(three steps of the critic a round), `sngan` the hinge loss with residual networks and spectral normalization. A network without
a density has no bits per dimension. Draws, rounded to gray values, are compared with training images in the features of a
classifier trained here: Fréchet distance, precision, recall, density and coverage. Test images in their place are the floor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

import probgen as pg
from probgen.data import Batches, load_digits, load_fashion_mnist
from probgen.demo import Measured, software
from probgen.distributions import ImplicitLaw
from probgen.infer import EMA, R1, Adversarial, Hinge, NonSaturating, TimeBudget, Wasserstein, fit
from probgen.metrics import (
    ClassifierFeatures,
    FrechetReport,
    NeighborhoodOverlap,
    frechet_report,
    neighborhood_overlap,
    train_classifier_features,
)

NOISE = 64
HEADER = ["model", "Fréchet distance", "precision", "recall", "density", "coverage", "rounds", "CPU s", "parameters"]


class Recipe(NamedTuple):
    """Networks, how they are trained, and the largest learning rates of critic and generator."""

    label: str
    build: Callable[[tuple[int, ...]], pg.gan.GAN]
    training: Adversarial
    critic_rate: float
    generator_rate: float


def dcgan(shape: tuple[int, ...]) -> pg.gan.GAN:
    """Strided convolutions; batch normalization in the generator alone, as penalties of single gradients want."""
    return pg.gan.dcgan(shape, NOISE, channels=24, critic_normalization="none")


def sngan(shape: tuple[int, ...]) -> pg.gan.GAN:
    """Residual blocks, the critic with spectral normalization."""
    return pg.gan.residual_gan(shape, NOISE, channels=8, critic_channels=12)


RECIPES = {
    "dcgan": Recipe(
        "DCGAN: non-saturating, R1", dcgan, Adversarial(NonSaturating(), penalties=[R1(1.0)], penalty_share=0.25), 5e-4, 5e-4
    ),
    "wgan_gp": Recipe("WGAN-GP", dcgan, Adversarial(Wasserstein(gradient_penalty=10.0), critic_steps=3), 1e-3, 1e-3),
    "sngan": Recipe("SNGAN: hinge, residual, spectral norm", sngan, Adversarial(Hinge()), 1e-3, 5e-4),
}


class Images(NamedTuple):
    """Training and test images ``[n, 1, side, side]`` in [-1, 1], and how many steps of gray lie between."""

    name: str
    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor
    top: int

    def rounded(self, x: Tensor) -> Tensor:
        """Draws at the gray values that data have."""
        return ((x.clamp(-1, 1) + 1) * (self.top / 2)).round() / (self.top / 2) - 1


def load(data: str) -> Images:
    """The images, shuffled."""
    found, top = (load_digits(), 16) if data == "digits" else (load_fashion_mnist(), 255)
    generator = torch.Generator().manual_seed(0)
    order, test_order = (torch.randperm(len(split), generator=generator) for split in (found.train, found.test))
    train, test = ((x.float() / (top / 2) - 1).unsqueeze(1) for x in (found.train.x[order], found.test.x[test_order]))
    labels = (found.train.labels[order], found.test.labels[test_order])
    return Images("8x8 digits" if data == "digits" else "Fashion-MNIST", train, labels[0], test, labels[1], top)


def train(recipe: Recipe, images: Images, options: argparse.Namespace) -> tuple[ImplicitLaw, int, float, int]:
    """A trained law with averaged weights; rounds, CPU seconds and parameters of both networks."""
    law, critic = recipe.build(tuple(images.train.shape[1:]))
    loss = recipe.training(law, critic)
    budget, average = TimeBudget(60 * options.minutes, warm_up=0.02), EMA(law, 0.998)
    rates = {"critic": recipe.critic_rate, "generator": recipe.generator_rate}
    turns = recipe.training.critic_steps + 1
    history = fit(
        loss,
        Batches((images.train,), options.batch, seed=options.seed, drop_last=True),
        {player: _adam(rate) for player, rate in rates.items()},
        steps=3 * turns if options.smoke else 10_000_000,
        schedule=budget.schedule,
        ema=average,
        callbacks=[budget],
        log_every=500,
        progress=False,
        accelerator="cpu",
    )
    settle(law, average, options.batch)
    size = sum(p.numel() for p in loss.parameters())
    return law, len(history.losses) // turns, budget.spent, size


def _adam(rate: float) -> Callable[..., torch.optim.Optimizer]:
    return lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(0.0, 0.99), fused=True)


@torch.no_grad()
def settle(law: ImplicitLaw, average: EMA, batch: int) -> None:
    """Leave the averaged weights in the law, with the statistics of batch normalization that go with them."""
    average.copy_to_module()
    law.train()
    for _ in range(50):
        law().sample((batch,))
    law.eval()


@torch.no_grad()
def draw(law: ImplicitLaw, images: Images, count: int) -> tuple[Tensor, float]:
    """Rounded draws, and the seconds of the processor that they took."""
    begin = time.process_time()
    parts = [law().sample((min(500, count - start),)) for start in range(0, count, 500)]
    return images.rounded(torch.cat(parts)), time.process_time() - begin


def measure(
    x: Tensor, images: Images, extractor: ClassifierFeatures, neighbors: int
) -> tuple[FrechetReport, NeighborhoodOverlap, NeighborhoodOverlap]:
    """Distance of draws from the training images; overlap of neighborhoods for draws and for test images."""
    count = min(neighbors, len(images.test), len(x))
    real, test, drawn = (extractor(part[:count]) for part in (images.train, images.test, x))
    report = frechet_report(x, images.train, images.test, extractor)
    return report, neighborhood_overlap(real, drawn), neighborhood_overlap(real, test)


def row(label: str, distance: object, overlap: NeighborhoodOverlap, *costs: str) -> list[str]:
    """One row of the table."""
    shares = [f"{getattr(overlap, name).mean:.3f}" for name in ("precision", "recall", "density", "coverage")]
    return [label, str(distance), *shares, *costs]


def picture(law: ImplicitLaw, images: Images, path: Path) -> None:
    """Two rows of data, four of draws, two on arcs between draws."""
    from probgen.plot import image_grid

    start, end = law().base_dist.sample((2,)), law().base_dist.sample((2,))
    with torch.no_grad():
        between = pg.gan.draws_between(law(), start, end, torch.linspace(0, 1, 12)).transpose(0, 1).flatten(0, 1)
        shown = torch.cat([images.train[:24], law().sample((48,)), between])
    image_grid(shown.squeeze(1).clamp(-1, 1) / 2 + 0.5, columns=12, size=0.6).savefig(path, dpi=110)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(RECIPES), default="dcgan")
    parser.add_argument("--data", choices=("fashion", "digits"), default="fashion")
    parser.add_argument("--minutes", type=float, default=4.0, help="training time of the processor")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--draws", type=int, default=10_000, help="for the Fréchet distance; no more than test images count")
    parser.add_argument("--neighbors", type=int, default=2000, help="examples on each side of precision and recall")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="three rounds on the digits, few draws")
    options = parser.parse_args(argv)
    if options.smoke:
        options.data, options.draws, options.batch = "digits", 400, 16
    return options


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print, write and draw; return what was measured."""
    options = parse(argv)
    torch.set_num_threads(1)
    images, recipe = load(options.data), RECIPES[options.model]
    test = (images.test, images.test_labels)
    steps = 100 if options.smoke else 600 if options.data == "digits" else 2000
    extractor = train_classifier_features(
        images.train, images.train_labels, test=test, steps=steps, name=f"{images.name} classifier"
    )
    torch.manual_seed(options.seed)
    law, rounds, seconds, size = train(recipe, images, options)
    x, cost = draw(law, images, options.draws)
    report, overlap, floor = measure(x, images, extractor, options.neighbors)
    print(f"{report}\n{overlap}\n{len(x)} draws in {cost:.1f} s", flush=True)
    rows = [
        row("test images", report.floor, floor, "n/a", "n/a", "n/a"),
        row(recipe.label, report.distance, overlap, str(rounds), f"{seconds:.0f}", f"{size:,}"),
    ]
    found = tabulate(rows, report, floor, images, options)
    try:
        picture(law, images, options.out / f"gan_{options.data}_{options.model}.png")
    except ImportError as error:
        print(error)
    pg.save(law, options.out / f"gan_{options.data}_{options.model}.safetensors")
    return found


def tabulate(
    rows: list[list[str]], report: FrechetReport, floor: NeighborhoodOverlap, images: Images, options: argparse.Namespace
) -> Measured:
    """The table, with the rows of earlier runs."""
    path = options.out / f"gan_{options.data}{'_smoke' if options.smoke else ''}.json"
    before = Measured.read(path).tables[0][2] if path.exists() else []
    known = {entry[0]: entry for entry in [*before, *rows]}
    order = ("test images", *(recipe.label for recipe in RECIPES.values()))
    found = Measured(f"Generative adversarial networks on {images.name}, {options.minutes:g} minutes of one core each")
    found.conditions = [
        f"Images of {images.train.shape[-1]}x{images.train.shape[-1]} without labels, {NOISE} numbers of noise, batches of "
        f"{options.batch}, Adam with a rate that falls to zero, averaged weights, seed {options.seed}; parameters of both "
        f"networks. Fréchet distance of {report.num_examples} draws from {report.num_reference} training images in the "
        f"features of a {report.extractor}; precision, recall, density and coverage in the same features, k = "
        f"{floor.neighbors}, {floor.num_generated} draws against {floor.num_real} training images. The first row is the floor: "
        f"test images in the place of draws. {software()}.",
        options.condition,
    ]
    print(
        found.add(
            "A distance: less is better; the four shares are best at the floor's.",
            HEADER,
            [known[k] for k in order if k in known],
        )
    )
    print(found.write(path))
    return found


if __name__ == "__main__":
    main()
