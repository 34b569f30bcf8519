"""Flows on images, trained for a time of one core: test bits per dimension of digits, MNIST or Fashion-MNIST.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/image_flows.py --data mnist --model glow --budget 600
python examples/image_flows.py --data digits --model glow --classes       conditional on the class
python examples/image_flows.py --merge --out out        one table of all rows in a folder
python examples/image_flows.py --smoke                  seconds; without the data, on the embedded digits enlarged to 28x28

Integers get noise from the unit cube (uniform, or with --noise a learned flow), so the figure is an upper bound of the bits of
the integers, from one draw of noise an image. All training images are used; the test images are looked at once, at the end.
A run writes its row, its draws and its weights.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

import probgen as pg
from probgen.data import Batches, load_digits, load_fashion_mnist, load_mnist, load_or_stand_in, logit_preprocessing
from probgen.demo import Measured, software
from probgen.distributions import DequantizedLaw
from probgen.distributions.bijectors import ActNorm, Bijector, Compose, Reshape
from probgen.infer import EMA, MaximumLikelihood, TimeBudget, fit
from probgen.metrics import MeanError, bits_per_dim
from probgen.plot import image_grid

LOADERS = {"digits": load_digits, "mnist": load_mnist, "fashion": load_fashion_mnist}
NAMES = {"digits": "digits 8x8", "mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
PUBLISHED = {("mnist", "glow"): "1.05", ("mnist", "real_nvp"): "1.06"}  # as listed by Grathwohl et al. (2019), arXiv:1810.01367

# Options of the recipe, batch size, largest learning rate; not tuned. The margin of the logit matters: 1e-6 keeps black apart.
SMALL = {
    "glow": ({"levels": 2, "steps": 8, "hidden": 64}, 64, 2e-3),
    "real_nvp": ({"levels": 2, "hidden": 24, "blocks": 2}, 64, 2e-3),
    "flow_plus_plus": ({"hidden": 24, "blocks": 1, "components": 8}, 64, 2e-3),
    "spline": ({"layers": 8, "hidden": (128, 128), "dropout": 0.2}, 128, 1e-3),
    "nice": ({"hidden": (256,) * 3}, 128, 1e-3),
}
LARGE = {
    "glow": ({"levels": 2, "steps": 8, "hidden": 64}, 32, 2e-3),
    "real_nvp": ({"levels": 2, "hidden": 16, "blocks": 2}, 32, 2e-3),
    "flow_plus_plus": ({"hidden": 24, "blocks": 1, "components": 8}, 32, 2e-3),
    "spline": ({"layers": 8, "hidden": (256, 256)}, 128, 1e-3),
    "nice": ({"hidden": (1000,) * 5}, 128, 1e-3),
}
HEADER = ["data", "flow", "noise", "given", "test bits/dim", "published", "parameters", "steps", "images a step", "CPU s"]


def build(model: str, options: dict[str, object], event_shape: tuple[int, ...], classes: int) -> Bijector:
    """A flow from the flat latent to images; flows on vectors get a shape, and standardized pixels."""
    context = (classes,) if classes else None
    if model in ("nice", "spline"):
        recipe = {"nice": pg.flows.nice, "spline": pg.flows.neural_spline_coupling}[model]
        size = math.prod(event_shape)
        return Compose(recipe(size, context_shape=context, **options), ActNorm((size,)), Reshape((size,), event_shape))
    recipe = {"glow": pg.flows.glow, "real_nvp": pg.flows.image_real_nvp, "flow_plus_plus": pg.flows.flow_plus_plus}[model]
    return recipe(event_shape, context_shape=context, **options)


class Images:
    """Training and test images ``[n, 1, H, W]`` with their classes.

    Args:
        name: "digits", "mnist" or "fashion".
        smoke: Take a few images, and enlarged digits where the data are not here.
        validate: Score the last tenth of the training images instead of the test images, and train on the others.
    """

    def __init__(self, name: str, *, smoke: bool, validate: bool) -> None:
        found = load_or_stand_in(LOADERS[name], stand_in=smoke)
        self.name, self.levels = found.name, found.levels
        columns = []
        for part in ("x", "y"):
            first, held, test = (getattr(split, part) for split in (found.train, found.validation, found.test))
            first, test = (first, held) if validate else (torch.cat([first, held]), test)
            columns.append((first[:64], test[:8]) if smoke else (first, test))
        (self.train, self.test), (self.train_class, self.test_class) = columns
        self.train, self.test = self.train.unsqueeze(1), self.test.unsqueeze(1)
        self.classes = 10
        self.event_shape = tuple(self.train.shape[1:])
        self.dims = math.prod(self.event_shape)


def given(labels: Tensor, *, classes: int) -> Tensor:
    """Classes as unit vectors."""
    return one_hot(labels.long(), classes).float()


def train(law: DequantizedLaw, data: Images, options: argparse.Namespace, batch: int, rate: float) -> tuple[int, float]:
    """Start from a batch, train for a time of the processor (as a smoke test two steps); return steps and CPU seconds."""
    columns: tuple[Tensor, ...] = (data.train,)
    if options.classes:
        columns += (given(data.train_class, classes=data.classes),)
    batches = Batches(columns, batch, seed=0, drop_last=True, transform=lambda batch, _: (batch[0].float(), *batch[1:]))
    first = Batches(columns, min(256, len(data.train)), seed=1)
    x, *context = next(iter(first))
    law.bijector.initialize_from(x + torch.rand(x.shape), *context)
    budget = TimeBudget(options.budget, warm_up=0.03)
    average = EMA(law, 0.99)
    history = fit(
        MaximumLikelihood(law),
        batches,
        lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.99), fused=True),
        steps=2 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=options.clip * data.dims,
        callbacks=[budget],
        ema=average,
        log_every=100,
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    losses, bit = history.losses, data.dims * math.log(2)
    print(f"{len(losses)} steps, {budget.spent:.0f} CPU s", flush=True)
    print("bits:", *(f"{sum(part) / len(part) / bit:.3f}" for part in _tenths(losses)), flush=True)
    return len(losses), budget.spent


def _tenths(losses: list[float]) -> list[list[float]]:
    size = max(1, len(losses) // 10)
    return [losses[start : start + size] for start in range(0, len(losses), size)]


@torch.no_grad()
def score(law: DequantizedLaw, data: Images, *, conditional: bool) -> MeanError:
    """Bits per dimension of the test images, one draw of noise each."""
    torch.manual_seed(0)
    found = []
    for x, labels in zip(data.test.split(100), data.test_class.split(100), strict=True):
        context = (given(labels, classes=data.classes),) if conditional else ()
        found.append(law(*context).log_prob(x.float()))
    return bits_per_dim(torch.cat(found), data.dims)


@torch.no_grad()
def draw(law: DequantizedLaw, data: Images, path: Path, *, conditional: bool) -> None:
    """A picture: ten test images, forty draws (of class 0 to 9 in the columns, where they are conditional)."""
    torch.manual_seed(0)
    context = (given(torch.arange(40) % 10, classes=data.classes),) if conditional else ()
    draws = law(*context).sample(() if conditional else (40,))
    try:
        image_grid(torch.cat([data.test[:10].float(), draws]).squeeze(1) / (data.levels - 1), columns=10).savefig(path, dpi=110)
    except ImportError as error:
        print(error)


def make_law(data: Images, options: argparse.Namespace, recipe: dict[str, object]) -> DequantizedLaw:
    """The flow, the logit with its margin, and the noise."""
    flow = build(options.model, recipe, data.event_shape, data.classes if options.classes else 0)
    noise: nn.Module | None = None
    if options.noise:
        noise = pg.flows.dequantization_noise(data.event_shape, data.levels, steps=2, hidden=32)
    return DequantizedLaw(Compose(flow, logit_preprocessing(options.alpha, levels=data.levels)), data.levels, noise=noise)


def merged(folder: Path, condition: str) -> Measured:
    """One table of all rows in a folder."""
    rows = [Measured.read(path).tables[0][2][0] for path in sorted(folder.glob("image_flow_*.json"))]
    rows.sort(key=lambda row: (list(NAMES.values()).index(row[0]) if row[0] in NAMES.values() else 9, row[1:4]))
    found = Measured("Image flows")
    found.conditions = [
        "Test bits per dimension ± one standard error over images, an upper bound for the integers, from one draw of noise an "
        "image; digits have 17 levels, the others 256. All training images; one core for the processor time of the row, the "
        "learning rate falls to zero at its end; averaged weights. Published figures are of full trainings on accelerators, "
        f"unconditional. {software()}.",
        condition,
    ]
    print(found.add("Bits per dimension; lower is better.", HEADER, rows), flush=True)
    return found


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=tuple(LOADERS), default="mnist")
    parser.add_argument("--model", choices=tuple(LARGE), default="glow")
    parser.add_argument("--classes", action="store_true", help="conditional on the class")
    parser.add_argument("--noise", action="store_true", help="learned noise between the integers")
    parser.add_argument("--budget", type=float, default=600.0, help="training time of the processor, seconds")
    parser.add_argument("--rate", type=float, help="largest learning rate, another one than the chosen")
    parser.add_argument("--batch", type=int, help="images a step, another number than the chosen")
    parser.add_argument("--alpha", type=float, default=1e-6, help="margin of the logit")
    parser.add_argument("--clip", type=float, default=0.06, help="largest norm of a gradient, a dimension")
    parser.add_argument("--set", default="", metavar="NAME=VALUE,...", help="other numbers for options of the recipe")
    parser.add_argument("--validate", action="store_true", help="score held-out training images")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--merge", action="store_true", help="train nothing; write one table of all rows in the folder")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, a few images")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    options = parsed(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.merge:
        found = merged(options.out, options.condition)
        print(found.write(options.out / "flows_images.json"))
        return found
    torch.manual_seed(0)
    torch.set_num_threads(1)
    data = Images(options.data, smoke=options.smoke, validate=options.validate)
    recipe, batch, rate = (SMALL if options.data == "digits" else LARGE)[options.model]
    batch, rate = 8 if options.smoke else options.batch or batch, options.rate or rate
    recipe = {**recipe, **{pair.split("=")[0]: int(pair.split("=")[1]) for pair in options.set.split(",") if pair}}
    law = make_law(data, options, recipe)
    steps, seconds = train(law, data, options, batch, rate)
    law.eval()
    bits = score(law, data, conditional=options.classes)
    extras = [name for name in ("classes", "noise") if getattr(options, name)]
    tag = "_".join([options.data, options.model, *extras])
    draw(law, data, options.out / f"image_flow_{tag}.png", conditional=options.classes)
    row = [NAMES.get(data.name, data.name), options.model, "learned" if options.noise else "uniform"]
    row += ["the class" if options.classes else "nothing", str(bits)]
    row += [PUBLISHED.get((options.data, options.model), "n/a") if data.name == "mnist" and not options.classes else "n/a"]
    row += [f"{sum(parameter.numel() for parameter in law.parameters()):,}", f"{steps:,}", str(batch), f"{seconds:.0f}"]
    found = Measured(f"Image flow: {tag}", [software(), options.condition])
    print(found.add("Bits per dimension; lower is better.", HEADER, [row]), flush=True)
    print(found.write(options.out / f"image_flow_{tag}.json"))
    pg.save(law, options.out / f"image_flow_{tag}.safetensors")
    return found


if __name__ == "__main__":
    main()
