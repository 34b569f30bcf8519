"""Autoregressive models of the 8x8 digits in black and white: exact nats a test image, from FVSBN to PixelSNAIL.

python examples/digits_autoregressive.py                       some minutes on one core; writes out/autoregressive_digits.json
python examples/digits_autoregressive.py --models made,fvsbn   these only; rows of others in the file stay
python examples/digits_autoregressive.py --smoke               seconds

The images are those of `load_binary_digits`: 1 150 to train, 147 to choose settings, 500 to test. Settings, epochs included,
were chosen on the 147 alone (`--validate` scores them there); the models that are tested are trained on all 1 297 others.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_binary_digits
from probgen.demo import Measured, software
from probgen.distributions import Mixture, ScaledEmbedding
from probgen.infer import EMA, MaximumLikelihood, Objective, fit
from probgen.metrics import cross_entropy, mean_and_error
from probgen.plot import image_grid


@dataclass(frozen=True)
class Setting:
    """A recipe with its options, and how it is trained."""

    recipe: str
    options: dict[str, object]
    epochs: int
    rate: float
    decay: float
    clip: float = 20.0
    networks: int = 1
    batch: int = 64


SNAIL = {"filters": 32, "stages": 2, "blocks": 2, "heads": 2, "dropout": 0.5}
CHOSEN = {
    "fvsbn": Setting("fvsbn", {}, 60, 1e-2, 0.3),
    "nade": Setting("nade", {"hidden": 100}, 75, 3e-3, 0.0),
    "made": Setting("made", {"hidden": (300,), "dropout": 0.3}, 60, 3e-3, 0.1),
    "made, 8 orders": Setting("made_ensemble", {"hidden": (500,), "dropout": 0.2, "orders": 8}, 120, 3e-3, 0.03),
    "pixel_cnn": Setting(  # pixels enter as 0 and 1: what lies off the image is paper
        "pixel_cnn",
        {"blocks": 6, "channels": 64, "kernel_size": 5, "dropout": 0.5, "embedding": ScaledEmbedding()},
        45,
        3e-3,
        0.3,
    ),
    "gated_pixel_cnn": Setting(
        "gated_pixel_cnn", {"layers": 6, "channels": 32, "first_kernel_size": 5, "dropout": 0.3}, 50, 3e-3, 0.01
    ),
    "pixel_rnn, rows": Setting("pixel_rnn", {"kind": "row", "layers": 2, "hidden": 12}, 35, 1e-2, 0.1),
    "pixel_rnn, diagonals": Setting("pixel_rnn", {"layers": 2, "hidden": 12}, 35, 1e-2, 0.1),
    "image_gpt": Setting("image_gpt", {"width": 64, "depth": 3, "dropout": 0.3}, 75, 2e-3, 0.1, clip=1.0),
    "pixel_snail": Setting("pixel_snail", SNAIL, 75, 2e-3, 0.1, clip=1.0),
    "pixel_snail, 2 networks": Setting("pixel_snail", SNAIL, 75, 2e-3, 0.1, clip=1.0, networks=2),
}
HEADER = ["model", "nats an image", "training images", "epochs", "CPU s", "ms a draw", "parameters"]


def objective_of(model: nn.Module) -> Objective:
    """Maximum likelihood, in one order or in all."""
    if isinstance(model, pg.autoregressive.OrderEnsemble):
        return pg.autoregressive.OrderAgnosticLoss(model)
    return MaximumLikelihood(model)


def train(model: nn.Module, x: Tensor, setting: Setting, *, smoke: bool) -> None:
    """AdamW, a learning rate that rises for a fortieth and falls to zero along a cosine; the model gets averaged weights."""
    average = EMA(model, 0.99)
    batches = Batches(x, setting.batch, seed=0, drop_last=True)
    steps = 2 if smoke else setting.epochs * len(batches)

    def factor(step: int) -> float:
        done = (step + 1) / steps
        return done / 0.025 if done < 0.025 else 0.5 + 0.5 * math.cos(math.pi * (done - 0.025) / 0.975)

    fit(
        objective_of(model),
        batches,
        lambda parameters: torch.optim.AdamW(
            parameters, lr=setting.rate, weight_decay=setting.decay, betas=(0.9, 0.99), fused=True
        ),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, factor),
        clip_norm=setting.clip,
        ema=average,
        progress=False,
        accelerator="cpu",
    )
    model.eval()
    average.copy_to_module()


def measure(name: str, x: Tensor, test: Tensor, options: argparse.Namespace) -> tuple[list[str], Tensor]:
    """The row of a model, and draws of it."""
    setting, models, begin = CHOSEN[name], [], time.process_time()
    for number in range(setting.networks):
        torch.manual_seed(options.seed + number)
        models.append(getattr(pg.autoregressive, setting.recipe)((8, 8), **setting.options))
        train(models[-1], x, setting, smoke=options.smoke)
    seconds = time.process_time() - begin
    law = models[0]() if len(models) == 1 else Mixture([model() for model in models], torch.zeros(len(models)))
    nats, count, begin = cross_entropy(law.log_prob, test), 10 if options.smoke else 100, time.process_time()
    draws = law.sample((count,))
    per_draw = 1e3 * (time.process_time() - begin) / count
    size = sum(parameter.numel() for model in models for parameter in model.parameters())
    row = [name, str(nats), str(len(x)), str(setting.epochs), f"{seconds:.0f}", f"{per_draw:.2f}", f"{size:,}"]
    return row, draws[:10]


def baseline(x: Tensor, test: Tensor) -> list[str]:
    """Independent pixels."""
    frequency = (x.sum(0) + 0.5) / (len(x) + 1)
    law = torch.distributions.Independent(torch.distributions.Bernoulli(frequency), 2)
    return ["independent pixels", str(mean_and_error(-law.log_prob(test))), str(len(x)), "n/a", "0", "n/a", "64"]


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="", help=f"some of: {'; '.join(CHOSEN)} (separated by semicolons or commas)")
    parser.add_argument("--validate", action="store_true", help="train on 1 150 images, score the 147")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps of each")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = load_binary_digits()
    x, test = (
        (digits.train.x, digits.validation.x)
        if options.validate
        else (torch.cat([digits.train.x, digits.validation.x]), digits.test.x)
    )
    separator = ";" if ";" in options.models else ","
    names = [name.strip() for name in options.models.split(separator)] if options.models else list(CHOSEN)
    path = options.out / f"autoregressive_digits{'_validation' if options.validate else ''}.json"
    kept = Measured.read(path).tables[0][2] if path.exists() and not options.smoke else []
    rows = {row[0]: row for row in kept} | {"independent pixels": baseline(x, test)}
    order, pictures = ["independent pixels", *CHOSEN], []
    for name in names:
        rows[name], draws = measure(name, x, test, options)
        pictures.append(draws)
        print(rows[name], flush=True)
        found = Measured("Autoregressive models on the digits, 8x8, black and white")
        found.conditions = [
            f"{len(test)} {'validation' if options.validate else 'test'} images; likelihoods are exact, ± one standard error "
            f"over images; time of the processor; a draw as one of 100; seed {options.seed}. {software()}.",
            options.condition,
        ]
        text = found.add("Nats an image; lower is better.", HEADER, [rows[key] for key in order if key in rows])
        found.write(path)
    print(text)
    try:
        image_grid(torch.cat([test[:10], *pictures]), columns=10).savefig(options.out / "autoregressive_digits.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
