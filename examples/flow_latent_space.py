"""What image flows do: ways between real images, attributes with a strength, temperatures, shallow against deep.

python examples/flow_latent_space.py --budget 60 --depth-budget 20    trains a Glow by class, and seven depths
python examples/flow_latent_space.py --weights out/image_flow_digits_glow_classes.safetensors
                                                        takes the weights that image_flows.py --classes wrote
python examples/flow_latent_space.py --smoke                              everything runs, nothing is learned

Writes flow_*.png and flows_latent_space.json. Attributes are measured on images (slant, thickness); vectors are differences of
mean latents of the upper and lower quarter of every class; who is judged to be kept is asked of a classifier of real images.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import one_hot

import probgen as pg
from probgen.data import Batches, load_digits, load_mnist, load_or_stand_in, logit_preprocessing, slant, stroke_thickness
from probgen.demo import Measured, software
from probgen.distributions import DequantizedLaw, TransformedLaw
from probgen.distributions.bijectors import Compose
from probgen.flows import attribute_direction, class_log_posterior, data_between, glow, moved_along, tempered
from probgen.infer import EMA, MaximumLikelihood, TimeBudget, fit
from probgen.metrics import ClassifierFeatures, accuracy, bits_per_dim, train_classifier_features
from probgen.plot import image_grid

CLASSES = 10
DEPTHS = [(1, 1), (1, 4), (1, 16), (2, 2), (2, 8), (3, 2), (3, 5)]  # levels, steps


class Digits:
    """Images ``[n, 1, H, W]`` of integers, and their classes."""

    def __init__(self, name: str, *, smoke: bool) -> None:
        found = load_or_stand_in({"digits": load_digits, "mnist": load_mnist}[name], stand_in=smoke)
        self.levels = found.levels
        few = 128 if smoke else None
        self.train = torch.cat([found.train.x, found.validation.x])[:few].unsqueeze(1).float()
        self.labels = torch.cat([found.train.y, found.validation.y])[:few].long()
        self.test, self.truth = found.test.x[:few].unsqueeze(1).float(), found.test.y[:few].long()
        self.event_shape = tuple(self.train.shape[1:])
        self.size = math.prod(self.event_shape)

    def shown(self, x: Tensor) -> Tensor:
        """As a classifier sees them, in [-1, 1]."""
        return (x.floor() / (self.levels - 1)).clamp(0, 1) * 2 - 1

    def grid(self, x: Tensor, columns: int, path: Path) -> None:
        """Write a picture of images ``[..., 1, H, W]``."""
        images = (self.shown(x).reshape(-1, *self.event_shape[1:]) + 1) / 2
        try:
            image_grid(images, columns=columns, size=0.45).savefig(path, dpi=90)
        except ImportError as error:
            print(error)


def given(labels: Tensor) -> Tensor:
    """Classes as unit vectors."""
    return one_hot(labels, CLASSES).float()


def trained(data: Digits, law: DequantizedLaw, budget: float, *, smoke: bool) -> int:
    """Train for a time of the processor; return the number of steps."""
    conditional = law.context_shape is not None
    columns = (data.train, given(data.labels)) if conditional else (data.train,)
    batches = Batches(columns, 8 if smoke else 64, seed=0, drop_last=True)
    x, *context = next(iter(Batches(columns, min(256, len(data.train)), seed=1)))
    law.bijector.initialize_from(x + torch.rand(x.shape), *context)
    clock, average = TimeBudget(budget, warm_up=0.05), EMA(law, 0.98)
    history = fit(
        MaximumLikelihood(law),
        batches,
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3, betas=(0.9, 0.99), fused=True),
        steps=2 if smoke else 1_000_000,
        schedule=clock.schedule,
        clip_norm=0.06 * data.size,
        callbacks=[clock],
        ema=average,
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    law.eval().requires_grad_(requires_grad=False)
    return len(history.losses)


def flow_of(data: Digits, levels: int, steps: int, hidden: int, *, conditional: bool) -> DequantizedLaw:
    """Glow, the logit, and uniform noise."""
    flow = glow(data.event_shape, levels=levels, steps=steps, hidden=hidden, context_shape=(CLASSES,) if conditional else None)
    return DequantizedLaw(Compose(flow, logit_preprocessing(1e-6, levels=data.levels)), data.levels)


def noisy(x: Tensor) -> Tensor:
    """Integers with the noise of their cell."""
    return x + torch.rand(x.shape)


def interpolation(law: DequantizedLaw, data: Digits, out: Path) -> list[list[str]]:
    """Between real images of one class and of two: norms and densities on the way, a picture."""
    weights, half = torch.linspace(0, 1, 9), len(data.test) // 2
    x, labels = noisy(data.test[: 2 * half]), data.truth[: 2 * half]
    ends = (x[:half], x[half:], weights, given(labels[:half]))
    rows, shown = [], []
    continuous = TransformedLaw(law.base, law.bijector)
    for name, arc in (("arc", True), ("segment", False)):
        path = data_between(law.bijector, *ends, end_context=given(labels[half:]), arc=arc)
        context = torch.lerp(given(labels[:half]), given(labels[half:]), weights[:, None, None])
        norm = law.bijector.inverse(path, context).norm(dim=-1).mean(1)
        bits = -continuous(context).log_prob(path).mean(1) / data.size / math.log(2)
        rows.append(
            [name, *(f"{v:.2f}" for v in (norm[0], norm[2], norm[4])), *(f"{v:.2f}" for v in (bits[0], bits[2], bits[4]))]
        )
        shown.append(path[:, :4].transpose(0, 1))
    data.grid(torch.stack(shown, 1), 9, out / "flow_interpolation.png")
    return rows


def quarters(value: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The upper and the lower quarter of every class."""
    upper, lower = torch.zeros(2, len(value), dtype=torch.bool)
    for k in labels.unique():
        own = labels == k
        upper |= own & (value >= value[own].quantile(0.75))
        lower |= own & (value <= value[own].quantile(0.25))
    return upper, lower


def attributes(law: DequantizedLaw, data: Digits, judge: ClassifierFeatures, out: Path) -> list[list[str]]:
    """What a strength does to the measured attribute, and who is kept; a picture."""
    strengths = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0])
    chosen, labels = noisy(data.test[:300]), data.truth[:300]
    own = judge.classify(data.shown(chosen)).argmax(1)
    train, rows, shown = noisy(data.train), [], []
    kinds: dict[str, Callable[[Tensor], Tensor]] = {"slant": slant, "thickness": stroke_thickness}
    for name, measure in kinds.items():
        value = measure(data.shown(train))
        upper, lower = quarters(value, data.labels)
        vector = attribute_direction(law.bijector, train[upper], train[lower], *(given(data.labels[i]) for i in (upper, lower)))
        moved = moved_along(law.bijector, chosen, vector, strengths, given(labels))
        found = torch.stack([measure(data.shown(m)) for m in moved])
        slopes = (strengths[:, None] * found).mean(0) / strengths.square().mean() / value.std()
        kept = torch.stack([judge.classify(data.shown(m)).argmax(1) == own for m in moved]).float().mean(1)
        error = slopes.std() / math.sqrt(len(slopes))
        rows.append([name, f"{slopes.mean():.2f} ± {error:.2f}", *(f"{100 * k:.0f} %" for k in kept[[4, 5, 6]])])
        shown.append(moved[:, :4].transpose(0, 1))
    data.grid(torch.cat(shown), len(strengths), out / "flow_attributes.png")
    z = law.bijector.inverse(chosen, given(labels))
    asked = (labels + 3) % CLASSES
    changed = judge.classify(data.shown(law.bijector(z, given(asked)))).argmax(1)
    rows.append(
        ["class (another context)", "n/a", f"{100 * (changed == asked).float().mean():.0f} % are what was asked for", "", ""]
    )
    return rows


def temperatures(law: DequantizedLaw, data: Digits, judge: ClassifierFeatures, out: Path) -> list[list[str]]:
    """Draws from the mode of the base to the law itself: a picture, and what a classifier says."""
    rows, shown = [], []
    labels = torch.arange(CLASSES).repeat_interleave(40)
    z = torch.randn(len(labels), data.size)
    for temperature in (0.0, 0.25, 0.5, 0.7, 0.85, 1.0):
        draws = law.bijector(temperature * z, given(labels))  # what tempered(law, T) draws; T = 0 is a point
        right = accuracy(judge.classify(data.shown(draws)).argmax(1), labels)
        spread = data.shown(draws).reshape(CLASSES, 40, -1).std(1).mean()
        rows.append([f"{temperature}", f"{100 * right.mean:.1f} ± {100 * right.error:.1f} %", f"{spread:.3f}"])
        shown.append(draws[::40])
    cold = tempered(law, 0.7)(given(labels)).log_prob(data.test[:1].floor())
    assert cold.isfinite().all()
    data.grid(torch.cat(shown), CLASSES, out / "flow_temperatures.png")
    return rows


def bayes(law: DequantizedLaw, data: Digits) -> list[str]:
    """Classification of the test images by the rule of Bayes, with eight draws of noise."""
    continuous, total = TransformedLaw(law.base, law.bijector), torch.zeros(len(data.test), CLASSES)
    prior = torch.bincount(data.labels, minlength=CLASSES).float() + 1
    for _ in range(8):
        total += class_log_posterior(continuous, noisy(data.test), torch.eye(CLASSES), prior=prior).exp() / 8
    right = accuracy(total.argmax(1), data.truth)
    return [f"{100 * right.mean:.1f} ± {100 * right.error:.1f} %"]


def depths(data: Digits, options: argparse.Namespace) -> list[list[str]]:
    """Flows of several depths, each trained for the same time: bits per dimension, and a picture of draws."""
    rows, shown = [], [data.test[:10]]
    for levels, steps in DEPTHS:
        torch.manual_seed(0)
        law = flow_of(data, levels, steps, 48, conditional=False)
        count = trained(data, law, options.depth_budget, smoke=options.smoke)
        torch.manual_seed(1)
        bits = [bits_per_dim(law().log_prob(x), data.size) for x in (data.train[: len(data.test)], data.test)]
        parameters = sum(p.numel() for p in law.parameters())
        rows.append([str(levels), str(steps), *map(str, bits), f"{parameters:,}", str(count)])
        shown.append(law().sample((10,)))
        print(rows[-1], flush=True)
    data.grid(torch.cat(shown), 10, options.out / "flow_depth.png")
    return rows


def parsed(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--weights", type=Path, help="a saved flow of the same images by class")
    parser.add_argument("--budget", type=float, default=60.0, help="training time of the flow, seconds of the processor")
    parser.add_argument("--depth-budget", type=float, default=20.0, help="time of each depth, seconds of the processor")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, a few images")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> Measured:
    """Train or load, measure, draw, print and write; return what was measured."""
    options = parsed(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    data = Digits(options.data, smoke=options.smoke)
    if options.weights:
        law = pg.load(options.weights).eval().requires_grad_(requires_grad=False)
    else:
        law = flow_of(data, 2, 8, 64, conditional=True)
        trained(data, law, options.budget, smoke=options.smoke)
    judge = train_classifier_features(data.shown(data.train), data.labels, steps=10 if options.smoke else 400, name="judge")
    with torch.no_grad():
        found = Measured("What image flows do", [f"{options.data}. {software()}.", options.condition])
        header = ["way", "norm, w = 0", "w = 1/4", "w = 1/2", "bits/dim, w = 0", "w = 1/4", "w = 1/2"]
        print(found.add("Between pairs of unseen images of different classes.", header, interpolation(law, data, options.out)))
        header = ["attribute", "deviations a unit of strength", "class kept, s = 1/2", "s = 1", "s = 2"]
        print(found.add("Attribute vectors, unseen images.", header, attributes(law, data, judge, options.out)))
        header = ["T", "classifier agrees", "spread of pixels"]
        print(found.add("Draws at a temperature, 40 of each class.", header, temperatures(law, data, judge, options.out)))
        print(found.add("Classes by the rule of Bayes.", ["unseen images told right"], [bayes(law, data)]), flush=True)
    header = ["levels", "steps", "training bits/dim", "test bits/dim", "parameters", "updates"]
    caption = f"Shallow against deep, {options.depth_budget:.0f} s of one core for each."
    print(found.add(caption, header, depths(data, options)))
    print(found.write(options.out / "flows_latent_space.json"))
    return found


if __name__ == "__main__":
    main()
