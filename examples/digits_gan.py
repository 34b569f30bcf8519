"""Games on the 8x8 digits beside one another: weight clipping, least squares, boundary equilibrium, growing, BigGAN in small.

python examples/digits_gan.py                          one minute of one core for each; a table and pictures in out/
python examples/digits_gan.py --models began,biggan    these only
python examples/digits_gan.py --smoke                  seconds

The parts come from their papers: DCGAN's convolutions with a Wasserstein distance held by clipping (five steps of the critic a
round) and with least squares; an autoencoder as the critic; networks that grow from 4x4 to 8x8 pixels; and residual networks
told the class, with hinge losses, a projection critic, spectral normalization and the truncation of the noise. Then arithmetic
in the noise: a bold digit less a thin one, added to others, with single noises and with means of thirty.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_digits
from probgen.data.strokes import stroke_thickness
from probgen.demo import Measured, software
from probgen.distributions import ImplicitDistribution, ImplicitLaw
from probgen.distributions.implicit import truncated
from probgen.distributions.numerics.noise_arithmetic import combined_noise
from probgen.infer import (
    EMA,
    R1,
    Adversarial,
    BoundaryEquilibrium,
    Hinge,
    LeastSquares,
    NonSaturating,
    ReconstructionCritic,
    TimeBudget,
    Wasserstein,
    fit,
)
from probgen.metrics import ClassifierFeatures, frechet_report, neighborhood_overlap, train_classifier_features
from probgen.nn import ClassConditioning

NOISE, SHAPE = 36, (1, 8, 8)


class Recipe(NamedTuple):
    """Networks, game and learning rate."""

    label: str
    build: Callable[[], pg.gan.GAN]
    game: Adversarial
    rate: float
    by_class: bool = False


def convolutions() -> pg.gan.GAN:
    """DCGAN, without batch normalization in the critic."""
    return pg.gan.dcgan(SHAPE, NOISE, channels=16, critic_normalization="none")


def reconstructing() -> pg.gan.GAN:
    """DCGAN's generator; the critic is an autoencoder of eight codes."""
    codes = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ELU(), nn.Linear(64, 8), nn.Linear(8, 64), nn.ELU())
    return pg.gan.GAN(convolutions().law, ReconstructionCritic(codes.extend([nn.Linear(64, 64), nn.Unflatten(1, SHAPE)])))


RECIPES = {
    "clipping": Recipe("Wasserstein, clipped weights", convolutions, Adversarial(Wasserstein(clip=0.05), critic_steps=5), 1e-3),
    "lsgan": Recipe("least squares, R1", convolutions, Adversarial(LeastSquares(), penalties=[R1(1.0)]), 1e-3),
    "began": Recipe("boundary equilibrium", reconstructing, Adversarial(BoundaryEquilibrium(0.7, rate=1e-2)), 5e-4),
    "growing": Recipe(
        "growing, non-saturating, R1",
        lambda: pg.gan.progressive_gan(SHAPE, NOISE, channels=16),
        Adversarial(NonSaturating(), penalties=[R1(1.0)], penalty_share=0.25),
        1e-3,
    ),
    "biggan": Recipe(
        "BigGAN in small, by class",
        lambda: pg.gan.biggan_small(SHAPE, NOISE, channels=12, conditioning=ClassConditioning(10)),
        Adversarial(Hinge()),
        1e-3,
        by_class=True,
    ),
}


def train(recipe: Recipe, x: Tensor, labels: Tensor, options: argparse.Namespace) -> tuple[ImplicitLaw, int]:
    """A law with averaged weights, and the turns that it took."""
    torch.manual_seed(0)
    law, critic = recipe.build()
    loss, budget, average = recipe.game(law, critic), TimeBudget(options.seconds), EMA(law, 0.995)
    growing = [pg.gan.Growing([law.generator, critic], turns=options.stage)] if "growing" in recipe.label else []
    history = fit(
        loss,
        Batches((x, labels) if recipe.by_class else (x,), 64, seed=0, drop_last=True),
        lambda weights: torch.optim.Adam(weights, recipe.rate, betas=(0.0, 0.99), fused=True),
        steps=12 if options.smoke else 1_000_000,
        schedule=budget.schedule,
        ema=average,
        callbacks=[budget, *growing],
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    return settled(law, labels if recipe.by_class else None), len(history.losses)


@torch.no_grad()
def settled(law: ImplicitLaw, labels: Tensor | None) -> ImplicitLaw:
    """Statistics of batch normalization that go with averaged weights; then evaluation."""
    law.train()
    for _ in range(30):
        law().sample((64,)) if labels is None else law(labels[torch.randint(len(labels), (64,))]).sample()
    return law.eval().requires_grad_(requires_grad=False)


def rounded(x: Tensor) -> Tensor:
    """At the gray values that data have."""
    return ((x.clamp(-1, 1) + 1) * 8).round() / 8 - 1


def score(label: str, draws: Tensor, x: Tensor, test: Tensor, features: ClassifierFeatures, turns: str) -> list[str]:
    """A row: distance, precision, recall."""
    report, size = frechet_report(draws, x, test, features), min(len(test), len(draws))
    overlap = neighborhood_overlap(features(x[:size]), features(draws[:size]))
    return [label, str(report.distance), f"{overlap.precision.mean:.2f}", f"{overlap.recall.mean:.2f}", turns]


def arithmetic(law: ImplicitDistribution, count: int) -> list[str]:
    """The thickness of strokes: of all draws, of the bold third, and of sums z + bold - thin by means and by single noises."""
    z = law.base_dist.sample((3000,))
    thickness = stroke_thickness(law.generate(z).clamp(-1, 1))
    ranked = z[thickness.nan_to_num(0.0).argsort()]
    thin, bold, others = ranked[:1000], ranked[-1000:], law.base_dist.sample((300,))
    cells = [f"{thickness.nanmean():.2f}", f"{thickness.sort().values[-1000:].nanmean():.2f}"]
    for kept in (count, 1):
        groups = [part[torch.randint(len(part), (300, kept))].mean(1) * kept**0.5 for part in (bold, thin)]
        moved = combined_noise([others, *groups], (1.0, 1.0, -1.0))
        cells.append(f"{stroke_thickness(law.generate(moved).clamp(-1, 1)).nanmean():.2f}")
    return cells


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print, write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(RECIPES))
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of the processor for each game")
    parser.add_argument("--stage", type=int, default=800, help="turns of a stage of growing networks")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few turns")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    options.stage = 4 if options.smoke else options.stage
    digits = load_digits()
    x, test = ((split.x.float() / 8 - 1).unsqueeze(1) for split in (digits.train, digits.test))
    labels, told = digits.train.labels, digits.test.labels
    steps = 20 if options.smoke else 400
    features = train_classifier_features(x, labels, test=(test, told), steps=steps, name="digits classifier")
    rows, sums = [score("test images", test, x, test, features, "n/a")], []
    for name in options.models.split(","):
        recipe = RECIPES[name]
        law, turns = train(recipe, x, labels, options)
        laws = {recipe.label: law(told) if recipe.by_class else law()}
        if recipe.by_class:
            laws |= {f"{recipe.label}, noise within {t}": truncated(law(told), t) for t in (1.0, 0.5)}
        for label, made in laws.items():
            draws = rounded(made.sample() if recipe.by_class else made.sample((len(test),)))
            rows.append(score(label, draws, x, test, features, str(turns)))
        if not recipe.by_class:
            sums.append([recipe.label, *arithmetic(law(), 30)])
    found = Measured("Games on the digits, 8x8")
    found.conditions = [
        f"{options.seconds:g} s of one core each; {len(test)} draws; {features}. {software()}.",
        options.condition,
    ]
    print(found.add("Draws.", ["game", "Fréchet distance", "precision", "recall", "turns"], rows))
    if sums:
        header = ["game", "thickness of draws", "of the bold third", "sums of means", "sums of single noises"]
        print(found.add("Thickness of strokes, pixels: z + bold - thin.", header, sums))
    print(found.write(options.out / "gan_games.json"))
    return found


if __name__ == "__main__":
    main()
