"""A thousand modes: three gray digits as the channels of one image, and how many of the thousand a generator draws.

PROBGEN_DATA=folder python examples/stacked_digits.py --method r1 --minutes 10    MNIST at half resolution, one core
python examples/stacked_digits.py --smoke                                         seconds, on the embedded 8x8 digits

The methods are `r1` (non-saturating with R1), `packs` (the same, the critic judges two images at once: PacGAN), `plain` (no
penalty) and `hinge` (hinge with R1). A classifier of single digits, trained here, names the class of each channel of 26 000
draws; the table holds the classes that occur and the divergence of their histogram from the data's, beside what real images
score. MNIST is padded to 32x32 and averaged to 16x16. Each run writes its row into one table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import DataNotFoundError, join_labels, load_digits, load_mnist, stack_images, stacked_probabilities
from probgen.demo import Measured, software
from probgen.distributions import ImplicitLaw, standard_normal
from probgen.infer import EMA, R1, Adversarial, TimeBudget, fit
from probgen.metrics import ClassCoverage, ClassifierFeatures, class_coverage, train_classifier_features
from probgen.nn import DCGANCritic, DCGANGenerator

LABELS = {
    "r1": "non-saturating, R1",
    "packs": "non-saturating, R1, packs of 2",
    "plain": "non-saturating",
    "hinge": "hinge, R1",
}
HEADER = ["method", "classes of 1000", "reverse KL", "floor", "rounds", "CPU s", "parameters"]
PUBLISHED = [
    ["published: DCGAN (VEEGAN paper)", "99", "3.40", "n/a", "n/a", "n/a", "n/a"],
    ["published: VEEGAN", "150", "2.95", "n/a", "n/a", "n/a", "n/a"],
    ["published: PacDCGAN2 (PacGAN paper)", "1000", "0.06", "n/a", "n/a", "n/a", "n/a"],
]


def load(*, smoke: bool) -> tuple[str, tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The name of the data; training and test images ``[n, side, side]`` in [-1, 1] with their labels."""
    try:
        if smoke:
            raise DataNotFoundError
        found, name = load_mnist(), "MNIST, 16x16"
    except DataNotFoundError:
        if not smoke:
            raise
        found, name = load_digits(), "digits, 8x8"
    train = torch.cat([found.train.x, found.validation.x]), torch.cat([found.train.labels, found.validation.labels])
    return name, (scaled(train[0]), train[1]), (scaled(found.test.x), found.test.labels)


def scaled(images: Tensor) -> Tensor:
    """Bytes as numbers in [-1, 1]; images of 28x28 at 16x16."""
    x = images.float()
    if x.shape[-1] == 28:
        x = nn.functional.avg_pool2d(nn.functional.pad(x.unsqueeze(1), (2, 2, 2, 2)), 2).squeeze(1)
    return x / (x.max() / 2) - 1


class Stacks:
    """Batches of new stacks, without end."""

    def __init__(self, images: Tensor, size: int) -> None:
        self.images, self.size = images, size

    def __iter__(self) -> Iterator[Tensor]:
        while True:
            yield stack_images(self.images, self.size)


def build(method: str, side: int, channels: int) -> tuple[ImplicitLaw, pg.infer.AdversarialLoss]:
    """A small DCGAN: generator with batch normalization, critic without."""
    generator = DCGANGenerator((3, side, side), noise_features=64, channels=channels)
    law = ImplicitLaw(standard_normal(64), generator, event_shape=(3, side, side))
    packing = 2 if method == "packs" else 1
    critic = DCGANCritic((3 * packing, side, side), channels=channels, normalization="none")
    divergence = pg.infer.Hinge() if method == "hinge" else pg.infer.NonSaturating()
    penalties = [] if method == "plain" else [R1(1.0)]
    return law, Adversarial(divergence, penalties=penalties, packing=packing)(law, critic)


def train(loss: pg.infer.AdversarialLoss, law: ImplicitLaw, images: Tensor, options: argparse.Namespace) -> tuple[int, float]:
    """Train for a time of the processor and leave averaged weights in the law; return rounds and CPU seconds."""
    budget, average = TimeBudget(60 * options.minutes, warm_up=0.02), EMA(law, 0.999)
    history = fit(
        loss,
        Stacks(images, options.batch),
        lambda parameters: torch.optim.Adam(parameters, lr=options.rate, betas=(0.0, 0.99), fused=True),
        steps=6 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        ema=average,
        callbacks=[budget],
        log_every=200,
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    with torch.no_grad():
        for _ in range(20):  # the statistics of batch normalization are those of the averaged weights
            law().sample((options.batch,))
    law.eval()
    return len(history.losses) // 2, budget.spent


def classes_of(classifier: ClassifierFeatures, stacks: Tensor) -> Tensor:
    """The class of every stack, by the classes of its channels."""
    return join_labels(classifier.classify(stacks.flatten(0, 1)).argmax(-1).reshape(stacks.shape[:2]))


def coverage(classifier: ClassifierFeatures, target: Tensor, draw: object, number: int) -> ClassCoverage:
    """Classes among draws, which are made 1000 at a time."""
    with torch.no_grad():
        return class_coverage(torch.cat([classes_of(classifier, draw(1000)) for _ in range(-(-number // 1000))]), target)


def row(label: str, found: ClassCoverage, rounds: str, seconds: str, parameters: str) -> list[str]:
    """One row of the table."""
    return [label, str(found.modes), f"{found.reverse_kl:.3f}", f"{found.floor:.3f}", rounds, seconds, parameters]


def picture(law: ImplicitLaw, images: Tensor, path: Path) -> None:
    """Thirty stacks of data and thirty draws, in color."""
    from probgen.plot.figures import empty_figure

    shown = torch.cat([stack_images(images, 30), law().sample((30,))]).clamp(-1, 1) / 2 + 0.5
    figure = empty_figure(7.5, 3.2)
    for axes, image in zip(figure.subplots(6, 10, gridspec_kw={"wspace": 0.1, "hspace": 0.1}).flat, shown, strict=True):
        axes.imshow(image.permute(1, 2, 0).numpy())
        axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    figure.savefig(path, dpi=110)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=tuple(LABELS), default="r1")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of the processor")
    parser.add_argument("--channels", type=int, default=32, help="of the level next to the image")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rate", type=float, default=5e-4, help="largest learning rate")
    parser.add_argument("--draws", type=int, default=26_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="three rounds, few draws")
    options = parser.parse_args(argv)
    if options.smoke:
        options.draws, options.channels, options.batch = 1000, 8, 16
    return options


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print, write and draw; return what was measured."""
    options = parse(argv)
    torch.set_num_threads(1)
    name, (images, labels), test = load(smoke=options.smoke)
    classifier = train_classifier_features(images, labels, test=test, steps=100 if options.smoke else 3000, name="classifier")
    target = stacked_probabilities(labels)
    torch.manual_seed(options.seed)
    law, loss = build(options.method, images.shape[-1], options.channels)
    rounds, seconds = train(loss, law, images, options)
    real = coverage(classifier, target, lambda n: stack_images(test[0], n), options.draws)
    drawn = coverage(classifier, target, lambda n: law().sample((n,)), options.draws)
    size = f"{sum(p.numel() for p in law.parameters()):,} + {sum(p.numel() for p in loss.critic.parameters()):,}"
    rows = [
        row("test images, stacked", real, "n/a", "n/a", "n/a"),
        row(LABELS[options.method], drawn, str(rounds), f"{seconds:.0f}", size),
    ]
    measured = report(rows, name, classifier, options)
    try:
        picture(law, images, options.out / f"stacked_digits_{options.method}.png")
    except ImportError as error:
        print(error)
    return measured


def report(rows: list[list[str]], name: str, classifier: ClassifierFeatures, options: argparse.Namespace) -> Measured:
    """The table, with the rows of earlier runs."""
    path = options.out / f"gan_stacked_digits{'_smoke' if options.smoke else ''}.json"
    before = Measured.read(path).tables[0][2] if path.exists() else []
    known = {entry[0]: entry for entry in [*before, *rows]}
    ordered = [known[label] for label in ("test images, stacked", *LABELS.values()) if label in known]
    found = Measured(f"Stacked digits: a thousand classes, {options.minutes:g} minutes of one core")
    error = 100 * (1 - classifier.test_accuracy.mean)
    found.conditions = [
        f"Three images of {name} as channels, drawn anew for every batch; DCGAN with {options.channels} channels next to the "
        f"image, batches of {options.batch}, Adam at {options.rate:g} falling to zero, averaged weights, seed {options.seed}; "
        f"{options.draws} draws. The classifier errs on {error:.1f} % of test digits. The divergence is from the product of "
        f"the training digits' frequencies; the floor is its expectation for a perfect sampler. The published networks are "
        "larger and see 28x28. The settings are the first that were tried (for 75 s, on a seed that is not shown). "
        f"{software()}.",
        options.condition,
    ]
    print(found.add("Classes: more is better; reverse KL in nats: less is better.", HEADER, ordered + PUBLISHED))
    print(found.write(path))
    return found


if __name__ == "__main__":
    main()
