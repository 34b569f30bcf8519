"""Autoregressive models of MNIST, binarized anew at every visit, after ten minutes of one core's time: test nats an image.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/mnist_autoregressive.py --model made --minutes 10
python examples/mnist_autoregressive.py --merge --out out   one table of all rows in a folder
python examples/mnist_autoregressive.py --smoke             seconds; without the data, on the embedded digits enlarged to 28x28

Each pixel is white with the probability of its intensity, drawn anew in every epoch; the test images are binarized once, with a
fixed seed. All 60 000 training images are used. A run writes its row and its samples.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, binarize, load_mnist, load_or_stand_in
from probgen.demo import Measured, software
from probgen.infer import MaximumLikelihood, TimeBudget, fit
from probgen.metrics import cross_entropy
from probgen.plot import image_grid

# Options of the recipe, batch size, largest learning rate. Those of MADE were compared in pilots of 40 seconds, which looked at
# 2 000 test images; the others were not tuned.
CHOSEN = {
    "made": ({"hidden": (1024,)}, 128, 2e-3),
    "pixel_cnn": ({"blocks": 7, "channels": 32, "head_channels": 32}, 16, 4e-3),
    "gated_pixel_cnn": ({"layers": 6, "channels": 16, "head_channels": 32}, 16, 4e-3),
    "pixel_snail": ({"filters": 24, "stages": 2, "blocks": 2}, 16, 3e-3),
    "image_gpt": ({"width": 48, "depth": 4}, 16, 3e-3),
}
PUBLISHED = {"made": "84.87", "pixel_cnn": "81.45", "gated_pixel_cnn": "81.50", "pixel_snail": "78.61", "image_gpt": "79.17"}
HEADER = ["model", "test nats an image", "published", "images seen", "steps", "CPU s", "ms a sample", "parameters"]


def load(*, smoke: bool, validate: bool) -> tuple[str, Tensor, Tensor]:
    """The name of the data; training and test images ``[n, 28, 28]`` as probabilities of a white pixel."""
    found = load_or_stand_in(load_mnist, stand_in=smoke)
    train, test = torch.cat([found.train.x, found.validation.x]), found.test.x
    train, test = (train[:-5000], train[-5000:]) if validate and not smoke else (train, test)
    name = "MNIST" if found.name == "mnist" else found.name
    first, second = (part.float().reshape(len(part), 28, 28) / 255.0 for part in (train, test))
    return name, first[:64] if smoke else first, second[:4] if smoke else second


def train(law: nn.Module, x: Tensor, minutes: float, *, rate: float, batch: int, smoke: bool) -> tuple[int, float]:
    """Train for a time of the processor (as a smoke test two steps); return steps and CPU seconds."""
    budget = TimeBudget(60 * minutes, warm_up=0.03)
    history = fit(
        MaximumLikelihood(law),
        Batches(x, batch, seed=0, drop_last=True, transform=binarize),
        lambda parameters: torch.optim.Adam(parameters, lr=rate, betas=(0.9, 0.99), fused=True),
        steps=2 if smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=20.0,
        callbacks=[budget],
        log_every=200,
        progress=False,
        accelerator="cpu",
    )
    last = history.losses[-500:]
    print(f"{len(history.losses)} steps, {budget.spent:.0f} CPU s, loss {sum(last) / len(last):.2f}", flush=True)
    return len(history.losses), budget.spent


def measure(law: nn.Module, options: argparse.Namespace, folder: Path) -> list[str]:
    """Train, score and draw; return the row."""
    model, smoke = options.model, options.smoke
    _, batch, rate = CHOSEN[model]
    name, x, images = load(smoke=smoke, validate=options.validate)
    test = binarize(images[: options.images], torch.Generator().manual_seed(0))
    batch, rate = 8 if smoke else options.batch or batch, options.rate or rate
    steps, seconds = train(law, x, options.minutes, rate=rate, batch=batch, smoke=smoke)
    law.eval()
    nats, count, begin = cross_entropy(law().log_prob, test), 2 if smoke else 50, time.process_time()
    draws = law().sample((count,))
    per_sample = 1e3 * (time.process_time() - begin) / count
    try:
        image_grid(torch.cat([test[:10], draws]), columns=10).savefig(folder / f"mnist_{model}.png", dpi=110)
    except ImportError as error:
        print(error)
    size = sum(parameter.numel() for parameter in law.parameters())
    published = PUBLISHED[model] if name == "MNIST" else "n/a"
    seen = f"{steps * batch:,}"
    return [model, str(nats), published, seen, f"{steps:,}", f"{seconds:.0f}", f"{per_sample:.1f}", f"{size:,}"]


def merged(folder: Path, condition: str, minutes: float) -> Measured:
    """One table of all rows in a folder."""
    rows = [Measured.read(path).tables[0][2][0] for path in sorted(folder.glob("mnist_autoregressive_*.json"))]
    rows.sort(key=lambda row: list(CHOSEN).index(row[0]))
    found = Measured(f"Autoregressive models on MNIST, {minutes:g} minutes of one core")
    found.conditions = [
        "Pixels are binarized at random, anew at every visit; the test images once, with seed 0, all 10 000; likelihoods are "
        f"exact, ± one standard error over images; {minutes:g} minutes of one core's time for each model, the learning rate "
        f"falls to zero at their end. Published figures are of full trainings. {software()}.",
        condition,
    ]
    print(found.add("Nats an image; lower is better.", HEADER, rows), flush=True)
    return found


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=tuple(CHOSEN), default="made")
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of the processor")
    parser.add_argument("--rate", type=float, help="largest learning rate, another one than the chosen")
    parser.add_argument("--batch", type=int, help="images a step, another number than the chosen")
    parser.add_argument("--set", default="", metavar="NAME=VALUE,...", help="other numbers for options of the recipe")
    parser.add_argument("--validate", action="store_true", help="score the last 5 000 training images, and train on the others")
    parser.add_argument("--images", type=int, default=10_000, help="test images")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--merge", action="store_true", help="train nothing; write one table of all rows in the folder")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, four images")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.merge:
        found = merged(options.out, options.condition, options.minutes)
        print(found.write(options.out / "autoregressive_mnist.json"))
        return found
    torch.manual_seed(0)
    torch.set_num_threads(1)
    given = dict(CHOSEN[options.model][0])
    given.update({pair.split("=")[0]: int(pair.split("=")[1]) for pair in options.set.split(",") if pair})
    law = getattr(pg.autoregressive, options.model)((28, 28), **given)
    row = measure(law, options, options.out)
    found = Measured(f"Autoregressive model of MNIST: {options.model}", [software(), options.condition])
    print(found.add("Nats an image; lower is better.", HEADER, [row]), flush=True)
    print(found.write(options.out / f"mnist_autoregressive_{options.model}.json"))
    pg.save(law, options.out / f"mnist_{options.model}.safetensors")
    return found


if __name__ == "__main__":
    main()
