"""Digits drawn from captions by a matching-aware conditional GAN: "a bold seven", "a thin slanted three", "five".

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/text_to_digits.py --minutes 6
python examples/text_to_digits.py --smoke     seconds; without MNIST, on the embedded digits enlarged to 28x28

The captions tell the label and what is measured on each real image: how thick its strokes are and how much they lean. A small
transformer reads them, one in the generator and one in the critic; the critic also sees real digits with another's caption, as
draws. Two questions are asked of the draws: does a classifier see the digit that the
caption names, and do "bold", "thin" and "slanted" change what is measured, as they do on real digits?
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import probgen as pg
from probgen.data import (
    DIGIT_WORDS,
    Batches,
    CaptionVocabulary,
    Split,
    StrokeCaptions,
    load_mnist,
    load_or_stand_in,
    slant,
    stroke_thickness,
)
from probgen.demo import Measured, software
from probgen.distributions import ImplicitLaw
from probgen.infer import EMA, R1, Adversarial, NonSaturating, TimeBudget, fit
from probgen.metrics import ClassifierFeatures, frechet_report, mean_and_error, train_classifier_features
from probgen.plot import image_grid

STYLES = ("", "a thin", "a bold", "a slanted", "a bold slanted")


def load(*, smoke: bool) -> tuple[str, Split, Split]:
    """The name of the data, and training and test images ``[n, 1, 28, 28]`` in [-1, 1] with labels."""
    found = load_or_stand_in(load_mnist, stand_in=smoke)
    parts = [Split(part.x.float().unsqueeze(1) / 127.5 - 1, part.y) for part in (found.train, found.test)]
    return "MNIST" if found.name == "mnist" else found.name, *parts


def train(
    images: Tensor, tokens: Tensor, vocabulary: CaptionVocabulary, options: argparse.Namespace
) -> tuple[ImplicitLaw, int, float]:
    """The law of a digit given a caption, with averaged weights; steps and seconds."""
    reader = pg.nn.TextConditioning(len(vocabulary), vocabulary.length, width=32, layers=1, heads=2)
    law, critic = pg.gan.dcgan((1, 28, 28), 64, channels=options.channels, critic_normalization="none", conditioning=reader)
    budget = TimeBudget(60 * options.minutes)
    average = EMA(law, 0.999)
    history = fit(
        Adversarial(NonSaturating(), penalties=[R1(2.0)], penalty_share=0.25, mismatched=not options.unaware)(law, critic),
        Batches((images, tokens), options.batch, seed=0, drop_last=True),
        partial(torch.optim.Adam, lr=1e-3, betas=(0.0, 0.99), fused=True),
        steps=2 if options.smoke else 10_000_000,
        ema=average,
        schedule=budget.schedule,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    law.eval()
    return law, len(history.losses), budget.spent


def judged(
    law: ImplicitLaw, vocabulary: CaptionVocabulary, judge: ClassifierFeatures, real: tuple[Tensor, list[str]], copies: int
) -> list[list[str]]:
    """For each style: what the classifier and the ruler say of draws, and the ruler of real digits with such a caption."""
    rows = []
    for style in STYLES:
        tokens = vocabulary.encode([f"{style} {word}".strip() for word in DIGIT_WORDS])
        drawn = law(tokens).sample((copies,)).flatten(0, 1)
        named = judge.classify(drawn).argmax(-1) == torch.arange(10).repeat(copies)
        properties = style.removeprefix("a ").split()
        alike = [k for k, caption in enumerate(real[1]) if caption.split()[:-1] == (["a", *properties] if properties else [])]
        cells = [style + " ..." if style else "...", str(mean_and_error(100 * named.float()))]
        for images in (drawn, real[0][alike]):
            found = (stroke_thickness(images), slant(images)) if len(images) > 1 else ()
            cells += [str(mean_and_error(values)) for values in found] or ["n/a", "n/a"]
        rows.append(cells)
    return rows


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6.0, help="training time of the processor")
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--unaware", action="store_true", help="no wrong captions for the critic")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, few images, a small network")
    options = parser.parse_args(argv)
    if options.smoke:
        options.channels, options.batch = 4, 8
    torch.manual_seed(0)
    torch.set_num_threads(1)
    name, known, test = load(smoke=options.smoke)
    if options.smoke:
        known, test = known.take(range(256)), test.take(range(256))
    say = StrokeCaptions.of(known.x)
    captions = say(known.x, known.labels, generator=torch.Generator().manual_seed(0))
    vocabulary = CaptionVocabulary(captions)
    judge = train_classifier_features(
        known.x, known.labels, test=(test.x, test.labels), steps=20 if options.smoke else 2000, name=f"{name} classifier"
    )
    law, steps, seconds = train(known.x, vocabulary.encode(captions), vocabulary, options)
    told = say(test.x, test.labels, generator=torch.Generator().manual_seed(1))
    return report(law, vocabulary, judge, (known.x, test.x, told), (name, steps, seconds), options)


def report(
    law: ImplicitLaw,
    vocabulary: CaptionVocabulary,
    judge: ClassifierFeatures,
    real: tuple[Tensor, Tensor, list[str]],
    training: tuple[str, int, float],
    options: argparse.Namespace,
) -> Measured:
    """Tables and the picture."""
    (known, test, told), (name, steps, seconds) = real, training
    copies = 2 if options.smoke else 100
    rows = judged(law, vocabulary, judge, (test, told), copies)
    found = Measured(f"Digits from captions, {name} 28x28, {options.minutes:g} minutes of one core")
    drawn = torch.cat([law(part).sample() for part in vocabulary.encode(told).split(500)])
    quality = frechet_report(drawn, known, test, judge)
    found.conditions = [
        f"{steps} turns of {options.batch} captioned images in {seconds:.0f} s of one core, non-saturating loss with R1, "
        f"{'unaware' if options.unaware else 'aware'} of matching; {copies} draws of every caption; "
        f"captions from labels and measured strokes, {len(set(told))} different ones in the test set. {quality}. {software()}.",
        options.condition,
    ]
    print(found.conditions[0])
    header = ["caption", "digit as named, %", "thickness drawn", "slant drawn", "thickness real", "slant real"]
    print(found.add("What captions change, in pixels; real: test digits with such a caption.", header, rows), flush=True)
    stem = "gan_text_unaware" if options.unaware else "gan_text"
    print(found.write(options.out / f"{stem}.json"))
    try:
        texts = [f"{style} {word}".strip() for style in STYLES for word in DIGIT_WORDS]
        image_grid(law(vocabulary.encode(texts)).sample()[:, 0], columns=10).savefig(options.out / f"{stem}.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
