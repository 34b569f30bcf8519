"""Improved diffusion on the digits: what schedule, learned variance, hybrid loss and importance-sampled times do to the bound.

python examples/improved_diffusion.py            a minute of one core for each of five trainings
python examples/improved_diffusion.py --smoke    seconds

The same network and the same time for each row, after Nichol and Dhariwal (2021): the simple loss on the linear and on the
cosine schedule with a fixed variance; the hybrid loss with a learned one; the bound itself with uniform and with
importance-sampled times. Bits per dimension are bounds for integers with 17 levels; draws are compared in the features of a
digits classifier. Likelihood and quality weigh the times differently, and the rows differ in which of the two they serve.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_digits
from probgen.demo import Measured, software
from probgen.distributions import Quantization
from probgen.distributions.chains import DiscretizedDecoder, LearnedVariance
from probgen.infer import EMA, TimeBudget
from probgen.metrics import frechet_report, train_classifier_features

LEVELS, STEPS = Quantization(17, -1.0, 1.0), 200


class Setting(NamedTuple):
    """What a row changes."""

    label: str
    schedule: str
    variance: str
    loss: str
    times: str


SETTINGS = (
    Setting("simple loss, linear schedule, fixed variance", "linear", "fixed", "simple", "steps"),
    Setting("simple loss, cosine schedule, fixed variance", "cosine", "fixed", "simple", "steps"),
    Setting("hybrid loss, cosine schedule, learned variance", "cosine", "learned", "hybrid", "steps"),
    Setting("bound, cosine schedule, learned variance", "cosine", "learned", "elbo", "steps"),
    Setting("the same, importance-sampled times", "cosine", "learned", "elbo", "importance"),
)


def build(setting: Setting) -> pg.diffusion.Diffusion:
    """A perceptron over 64 pixels; two outputs a pixel where the variance is learned."""
    outputs = 128 if setting.variance == "learned" else None
    network = pg.nn.DenoisingMLP(64, hidden=(256, 256, 256), out_features=outputs)
    schedule = pg.diffusion.cosine_schedule() if setting.schedule == "cosine" else pg.diffusion.linear_schedule()
    spread = LearnedVariance() if setting.variance == "learned" else None
    decoder = DiscretizedDecoder(LEVELS)
    return pg.diffusion.Diffusion(network, schedule, (64,), grid=STEPS, spread=spread, decoder=decoder)


def objective(model: pg.diffusion.Diffusion, setting: Setting) -> nn.Module:
    """The loss of a row."""
    if setting.loss == "hybrid":
        return model.hybrid_loss()
    return model.denoising_loss(setting.loss, times=setting.times)


def train(setting: Setting, x: Tensor, seconds: float, *, smoke: bool) -> tuple[pg.diffusion.Diffusion, int]:
    """A model with averaged weights, and its steps."""
    torch.manual_seed(0)
    model, budget = build(setting), TimeBudget(seconds)
    average = EMA(model, 0.995)
    history = pg.infer.fit(
        objective(model, setting),
        Batches(x, batch_size=128, seed=0, drop_last=True),
        lambda weights: torch.optim.Adam(weights, lr=2e-3, fused=True),
        steps=5 if smoke else 1_000_000,
        schedule=budget.schedule,
        clip_norm=1.0,
        ema=average,
        callbacks=[budget],
        progress=False,
        accelerator="cpu",
    )
    average.copy_to_module()
    return model.eval(), len(history.losses)


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of the processor for each row")
    parser.add_argument("--out", default="out", help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = load_digits()
    x, test = (LEVELS.decode(split.x.flatten(1).long()) for split in (digits.train, digits.test))
    images, shown = (part.unflatten(1, (1, 8, 8)) for part in (x, test))
    features = train_classifier_features(
        images,
        digits.train.labels,
        test=(shown, digits.test.labels),
        steps=20 if options.smoke else 400,
        name="digits classifier",
    )
    rows = []
    for setting in SETTINGS:
        model, steps = train(setting, x, options.seconds, smoke=options.smoke)
        with torch.no_grad():
            bits = model.bits_report(test[: 5 if options.smoke else 200], quantization=LEVELS)
            draws = model.ancestral()(model.prior.sample((len(test),)))
        draws = LEVELS.decode(LEVELS.encode(draws.clamp(-1, 1)))
        report = frechet_report(draws.unflatten(1, (1, 8, 8)), images, shown, features)
        rows.append([setting.label, f"<= {bits.total:.3f} ± {bits.total_stderr:.3f}", str(report.distance), str(steps)])
    found = Measured("Improved diffusion on the digits, 8x8")
    found.conditions = [f"{options.seconds:g} s of one core a row; {STEPS} steps. {software()}.", options.condition]
    caption = f"Bound in bits per dimension; Fréchet distance of {len(test)} draws, floor {report.floor}."
    print(found.add(caption, ["training", "bits/dim", "Fréchet distance", "steps"], rows))
    print(found.write(f"{options.out}/diffusion_improved.json"))
    return found


if __name__ == "__main__":
    main()
