"""From edges to digits, with pairs: pix2pix, and how much of the conditional law its losses keep.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/pix2pix_edges.py --minutes 2
python examples/pix2pix_edges.py --smoke     seconds; without MNIST, on the embedded digits enlarged to 28x28

The edges of an image and of its negative are the same. Where half of the targets are negatives at random, the law of the
target given its edges has two modes, light on dark and dark on light, and a generator needs its noise to draw both. The
distance |y - target| of the paper is smallest at a median, whatever the noise; the energy score of two draws has the true law
for its minimum. Three trainings of equal time: light digits only with the distance; both kinds with the distance; both kinds
with the energy score.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import probgen as pg
from probgen.data import Batches, edges, load_mnist, load_or_stand_in
from probgen.demo import Measured, software
from probgen.distributions import ImplicitLaw, standard_normal
from probgen.gan import Pix2Pix, conditional_diversity
from probgen.infer import TimeBudget, energy_score, fit
from probgen.metrics import mean_and_error
from probgen.plot import image_grid

IMAGE = (1, 28, 28)


def load(*, smoke: bool) -> tuple[str, Tensor, Tensor]:
    """The name of the data; training and test images ``[n, 1, 28, 28]`` in [-1, 1]."""
    found = load_or_stand_in(load_mnist, stand_in=smoke)
    parts = (part.x.float().unsqueeze(1) / 127.5 - 1 for part in (found.train, found.test))
    return "MNIST" if found.name == "mnist" else found.name, *parts


def train(images: Tensor, options: argparse.Namespace, *, both: bool, draws: int) -> tuple[Pix2Pix, int]:
    """A trained model and its number of turns; with ``both``, half of the targets are negatives."""
    torch.manual_seed(1)
    generator = pg.nn.ImageToImageUNet(IMAGE, context_channels=1, noise_features=4, channels=options.channels)
    law = ImplicitLaw(standard_normal(4), generator, IMAGE, context_shape=IMAGE)
    critic = pg.nn.PatchCritic(IMAGE, context_channels=1, channels=options.channels, depth=1)
    model = Pix2Pix(law, critic, distance_weight=options.weight, draws=draws)
    targets = images * random_signs(len(images), seed=0) if both else images
    budget = TimeBudget(60 * options.minutes)
    history = fit(
        model,
        Batches((edges(images), targets), options.batch, seed=0, drop_last=True),
        partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
        steps=2 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    model.eval()
    return model, len(history.losses)


def random_signs(number: int, *, seed: int) -> Tensor:
    """Plus or minus one for each of so many images."""
    return (2 * torch.randint(2, (number,), generator=torch.Generator().manual_seed(seed)) - 1.0).reshape(-1, 1, 1, 1)


def judged(model: Pix2Pix, images: Tensor, *, both: bool) -> list[str]:
    """Distance to the nearer of image and negative, energy score, diversity, kinds of draws, of test images."""
    targets = images * random_signs(len(images), seed=1) if both else images
    law = model.law_ab(edges(images))
    draws = law.sample((8,))
    apart = torch.stack([(draws - images).abs(), (draws + images).abs()] if both else [(draws - images).abs()])
    light = ((draws * images).flatten(2).mean(2) > 0).float().mean(0)  # share of light draws of each source
    values = (
        apart.flatten(3).mean(3).amin(0).mean(0),
        energy_score(draws, targets, event_dim=3),
        conditional_diversity(law),
        100 * light,
        100 * ((light > 0) & (light < 1)).float(),
    )
    return [str(mean_and_error(value)) for value in values]


def main(argv: list[str] | None = None) -> Measured:
    """Train three times, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2.0, help="training time of the processor, for each of three")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--weight", type=float, default=100.0, help="of the distance to the target")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, few images, small networks")
    options = parser.parse_args(argv)
    if options.smoke:
        options.channels, options.batch = 4, 8
    torch.set_num_threads(1)
    name, known, test = load(smoke=options.smoke)
    test = test[: 20 if options.smoke else 1000]
    rows, shown, turns = [], [edges(test[:10]), test[:10]], []
    for label, both, draws in (("light", False, 1), ("both, distance", True, 1), ("both, energy score", True, 2)):
        model, steps = train(known, options, both=both, draws=draws)
        rows.append([label, *judged(model, test, both=both)])
        turns.append(str(steps))
        shown += [*model.law_ab(edges(test[:10])).sample((3,))]
        print(rows[-1], flush=True)
    found = Measured(f"Edges to digits with pix2pix, {name} 28x28, {options.minutes:g} minutes of one core for each training")
    found.conditions = [
        f"{', '.join(turns)} turns of {options.batch} pairs; {options.channels} channels, a critic of 16x16 patches, weight of "
        f"the distance {options.weight:g}; {len(test)} test images, 8 draws each, pixels in [-1, 1]. Mean of |y| over pixels: "
        f"{float(test.abs().mean()):.3f}. Diversity: the mean difference of a pixel between two draws. {software()}.",
        options.condition,
    ]
    print(found.conditions[0])
    header = ["targets", "distance to the nearer", "energy score", "diversity", "light draws, %", "sources with both kinds, %"]
    print(found.add("Draws given edges.", header, rows), flush=True)
    print(found.write(options.out / "gan_pix2pix.json"))
    try:
        image_grid(torch.cat(shown)[:, 0], columns=10).savefig(options.out / "gan_pix2pix.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
