"""Attention on the 8x8 digits in black and white: a transformer and PixelSNAIL, nats a test image, exactly.

python examples/digits_attention.py            some minutes of one core; writes out/attention_digits.json and a picture
python examples/digits_attention.py --smoke    seconds

The images are those of `load_binary_digits`: 1 150 to train, 147 to choose settings, 500 to test. Settings were chosen on the
147 alone (`--validate` scores them there); the models that are tested are trained on all 1 297 others, for as many steps. With
`--seeds n` the law is the mixture of n networks with equal weights, a distribution like any other: its density is the mean of
theirs, and a draw comes from one of them.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from probgen.data import Batches, load_binary_digits
from probgen.demo import Measured, software
from probgen.distributions import AutoregressiveLaw, ScaledEmbedding
from probgen.distributions.elements import BernoulliElement
from probgen.infer import EMA, fit
from probgen.metrics import mean_and_error
from probgen.nn.causal import CausalNetwork, CausalTransformer, PixelSNAIL
from probgen.plot import image_grid

CHOSEN = {
    "transformer": {"steps": 1500, "rate": 2e-3},
    "PixelSNAIL": {"steps": 1500, "rate": 2e-3},
}
HEADER = ["model", "nats an image", "training images", "networks", "parameters of each", "steps", "CPU s"]


class Likelihood(nn.Module):
    """The mean negative log-likelihood of an image."""

    def __init__(self, law: AutoregressiveLaw) -> None:
        super().__init__()
        self.law = law

    def forward(self, x: Tensor) -> Tensor:
        """Of images ``[n, 8, 8]``."""
        return -self.law().log_prob(x).mean()


def build(name: str) -> AutoregressiveLaw:
    """The law; bits enter as -1 and 1."""
    network: CausalNetwork
    if name == "transformer":
        network = CausalTransformer((8, 8), 1, width=64, depth=3, heads=4, dropout=0.3)
    else:
        network = PixelSNAIL((8, 8), 1, filters=32, stages=2, blocks=2, heads=2, dropout=0.5)
    return AutoregressiveLaw(network, (8, 8), BernoulliElement(), ScaledEmbedding(0.5, 0.5))


def train(law: AutoregressiveLaw, x: Tensor, *, steps: int, rate: float, seed: int) -> EMA:
    """Batches of 64, a rate that rises for a few steps and falls along a cosine; return the average of the weights."""
    average, warm = EMA(law, 0.995), max(1, min(50, steps // 5))

    def factor(step: int) -> float:
        done = min(1.0, step / steps)
        return min((step + 1) / warm, 0.5 + 0.5 * math.cos(math.pi * done))

    fit(
        Likelihood(law),
        Batches(x, 64, seed=seed, drop_last=True),
        lambda parameters: torch.optim.AdamW(parameters, lr=rate, betas=(0.9, 0.99), weight_decay=0.1, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.LambdaLR(optimizer, factor),
        clip_norm=1.0,
        ema=average,
        progress=False,
        accelerator="cpu",
    )
    law.eval()
    return average


def main(argv: list[str] | None = None) -> Measured:
    """Train, score, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--validate", action="store_true", help="train on 1 150 images, score the 147")
    parser.add_argument("--models", nargs="+", choices=tuple(CHOSEN), default=list(CHOSEN))
    parser.add_argument("--seeds", type=int, default=2, help="networks of each kind, whose mixture is the law")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = load_binary_digits()
    train_x, held_out, test = (split.x for split in (digits.train, digits.validation, digits.test))
    x, scored = (train_x, held_out) if options.validate else (torch.cat([train_x, held_out]), test)
    rows, drawn = [], [scored[:20]]
    for name in options.models:
        begin, scores, draws = time.process_time(), [], []
        steps = 5 if options.smoke else CHOSEN[name]["steps"]
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            law = build(name)
            average = train(law, x, steps=int(steps), rate=CHOSEN[name]["rate"], seed=seed)
            with torch.no_grad(), average.applied():
                scores.append(law().log_prob(scored))
                draws.append(law().sample((-(-20 // options.seeds),)))
            mixture = torch.logsumexp(torch.stack(scores), 0) - math.log(len(scores))
            count = sum(parameter.numel() for parameter in law.parameters())
            seconds = time.process_time() - begin
            row = [str(mean_and_error(-mixture)), str(len(x)), str(len(scores)), f"{count:,}", str(steps), f"{seconds:.0f}"]
            rows.append([name, *row])
            print(rows[-1], flush=True)
        drawn.append(torch.cat(draws)[:20])
    found = Measured("Attention on the digits, 8x8, black and white")
    found.conditions = [
        f"{len(scored)} {'validation' if options.validate else 'test'} images, exact; ± one standard error over images; several "
        f"networks are a mixture with equal weights, and their seconds are added. {software()}.",
        options.condition,
    ]
    print(found.add("Nats an image; lower is better.", HEADER, rows))
    print(found.write(options.out / "attention_digits.json"))
    try:
        image_grid(torch.cat(drawn), columns=10).savefig(options.out / "attention_digits.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
