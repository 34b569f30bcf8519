"""Two kinds of digits without pairs: CycleGAN between light digits and bold blue ones on yellow paper.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/cyclegan_digits.py --minutes 6
python examples/cyclegan_digits.py --smoke     seconds; without MNIST, on the embedded digits enlarged to 28x28

The second kind is made from real digits by a known map, so the truth is known, but the training never sees a pair: the two
kinds come from different halves of the data. Measured on test images: the distance to the truth, the distance after going
there and back, whether a classifier still reads the digit. Then the same on 8x8 digits that occur as often dark on light as
light on dark: there the negative is a symmetry, copying and inverting have the same loss, and where training begins decides
which is found.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, Split, bold, colored, load_digits, load_mnist, load_or_stand_in, unpaired
from probgen.demo import Measured, software
from probgen.gan import CycleGAN, deterministic_law
from probgen.infer import TimeBudget, fit
from probgen.metrics import mean_and_error, train_classifier_features
from probgen.plot import image_grid

GRAY, COLOR = (1, 28, 28), (3, 28, 28)


def load(*, smoke: bool) -> tuple[str, Split, Split]:
    """The name of the data, and training and test images ``[n, 1, 28, 28]`` in [-1, 1] with labels."""
    found = load_or_stand_in(load_mnist, stand_in=smoke)
    parts = [Split(part.x.float().unsqueeze(1) / 127.5 - 1, part.y) for part in (found.train, found.test)]
    return "MNIST" if found.name == "mnist" else found.name, *parts


def poster(images: Tensor) -> Tensor:
    """The other kind: bold, dark blue on yellow, ``[n, 3, 28, 28]``."""
    return colored(bold(images), ink=(-0.8, -0.7, 0.3), paper=(0.9, 0.7, -0.6))


def train(images: Tensor, options: argparse.Namespace) -> tuple[CycleGAN, int, float]:
    """A trained model, its turns and seconds."""
    a, b = unpaired(images)
    nets = partial(pg.nn.ResidualTranslator, channels=options.channels, blocks=options.blocks)
    critics = partial(pg.nn.PatchCritic, channels=options.channels, depth=1)
    model = CycleGAN(
        deterministic_law(nets(COLOR, context_channels=1), COLOR, GRAY),
        deterministic_law(nets(GRAY, context_channels=3), GRAY, COLOR),
        critics(GRAY),
        critics(COLOR),
    )
    budget = TimeBudget(60 * options.minutes)
    history = fit(
        model,
        Batches((a, poster(b)), options.batch, seed=0, drop_last=True),
        partial(torch.optim.Adam, lr=5e-4, betas=(0.5, 0.999), fused=True),
        steps=2 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    model.eval()
    return model, len(history.losses), budget.spent


def judged(model: CycleGAN, known: Split, test: Split, *, smoke: bool) -> list[list[str]]:
    """Distances to the truth and back, and digits read, for both directions."""
    classifier = partial(train_classifier_features, labels=known.labels, steps=20 if smoke else 1000)
    kinds = {"light": (known.x, test.x), "poster": (poster(known.x), poster(test.x))}
    rows = []
    back = dict(zip(kinds, model.cycle_distance(*(images for _, images in kinds.values())), strict=True))
    for source, target, law in (("light", "poster", model.law_ab), ("poster", "light", model.law_ba)):
        drawn, truth = law(kinds[source][1]).sample(), kinds[target][1]
        read = classifier(kinds[target][0], test=(truth, test.labels))
        right = 100 * (read.classify(drawn).argmax(-1) == test.labels).float()
        apart = [(guess - truth).abs().flatten(1).mean(1) for guess in (drawn, truth.mean(0))]
        cells = [str(mean_and_error(values)) for values in (*apart, back[source], right)]
        rows.append([f"{source} to {target}", *cells, f"{100 * read.test_accuracy.mean:.1f}" if read.test_accuracy else "n/a"])
    return rows


class OneColor(nn.Module):
    """The map x to tanh(w x + b) of single pixels; w starts where it is told."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope, self.shift = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """Images like ``x``."""
        return torch.tanh(self.slope * x + self.shift)


def reflected(*, smoke: bool) -> list[list[str]]:
    """CycleGAN between two halves of the 8x8 digits, each image with its negative, from two starts."""
    digits = load_digits()
    both = torch.cat([sign * (digits.train.x.float().unsqueeze(1) / 8 - 1) for sign in (1, -1)])
    test = digits.test.x.float().unsqueeze(1) / 8 - 1
    rows = []
    for start in (0.5, -0.5):
        torch.manual_seed(0)
        there, back = (deterministic_law(OneColor(start), (1, 8, 8), (1, 8, 8)) for _ in range(2))
        model = CycleGAN(there, back, *(pg.nn.MLPCritic((1, 8, 8), hidden=(64,)) for _ in range(2)))
        fit(
            model,
            Batches(unpaired(both), 100, seed=0),
            partial(torch.optim.Adam, lr=5e-3, betas=(0.5, 0.999)),
            steps=2 if smoke else 800,
            progress=False,
            accelerator="cpu",
        )
        made = model.law_ab(test).sample()
        apart = [(made - image).abs().flatten(1).mean(1) for image in (test, -test)]
        rows.append([f"{start:g}", *(str(mean_and_error(values)) for values in (*apart, model.cycle_distance(test, test)[0]))])
    return rows


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="training time of the processor")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, few images, small networks")
    options = parser.parse_args(argv)
    if options.smoke:
        options.channels, options.batch = 4, 8
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name, known, test = load(smoke=options.smoke)
    known, test = (known.take(range(256)), test.take(range(32))) if options.smoke else (known, test.take(range(2000)))
    model, steps, seconds = train(known.x, options)
    found = Measured(f"Two kinds of digits without pairs (CycleGAN), {name} 28x28, {options.minutes:g} minutes of one core")
    found.conditions = [
        f"{steps} turns of {options.batch} and {options.batch} images in {seconds:.0f} s of one core; residual translators of "
        f"{options.channels} channels and {options.blocks} blocks, critics of 16x16 patches, least squares, cycle weight 10, "
        f"pools of {model.pool_size}; {len(test)} test images, pixels in [-1, 1]. {software()}.",
        options.condition,
    ]
    print(found.conditions[0])
    header = ["direction", "to the truth", "of the mean image", "there and back", "digits read, %", "of true images, %"]
    rows = judged(model, known, test, smoke=options.smoke)
    print(
        found.add("Mean absolute differences of a pixel; what a classifier of the target kind reads.", header, rows), flush=True
    )
    header = ["slope at the start", "to the copy", "to the negative", "there and back"]
    caption = "8x8 digits, each with its negative, on both sides: a map of single pixels from two starts."
    print(found.add(caption, header, reflected(smoke=options.smoke)), flush=True)
    print(found.write(options.out / "gan_cycle.json"))
    try:
        picture(model, test.x[:10]).savefig(options.out / "gan_cycle.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


def picture(model: CycleGAN, images: Tensor) -> object:
    """Light digits, translated, the truth, and back; then posters, translated and back."""
    posters = poster(images)
    there, here = model.law_ab(images).sample(), model.law_ba(posters).sample()
    gray = [image.expand(-1, 3, -1, -1) for image in (images, model.law_ba(there).sample(), here)]
    rows = torch.cat([gray[0], there, posters, gray[1], posters, gray[2], model.law_ab(here).sample()])
    return image_grid((rows + 1) / 2, columns=10)


if __name__ == "__main__":
    main()
