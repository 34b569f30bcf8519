"""Belief networks, NADE, MADE and PixelRNN on the 8x8 digits in black and white: exact nats a test image.

python examples/digits_made.py                       all models; writes out/digits_made.json
python examples/digits_made.py --model MADE          one of them, seconds to a minute of one core
python examples/digits_made.py --smoke               seconds

The images are those of `load_binary_digits`: 1 150 to train, 147 to choose settings, 500 to test. Settings were chosen on the
147 alone (`--validate` scores them there); the models that are tested are trained on all 1 297 others, for as many steps.

"MADE, all orders" is one set of weights that sees a new order and new masks in every batch; its law is a uniform mixture of 32.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from probgen.data import Batches, load_binary_digits
from probgen.demo import Measured, software
from probgen.distributions import Autoregressive, AutoregressiveLaw, Mixture
from probgen.distributions.bijectors import IncrementalNetwork
from probgen.distributions.elements import BernoulliElement
from probgen.infer import EMA, MaximumLikelihood, fit
from probgen.metrics import mean_and_error
from probgen.nn import FVSBN, MADE, NADE, PixelRNN

ORDERS = 32
MODELS: dict[str, tuple[Callable[[], IncrementalNetwork], dict[str, float]]] = {
    "FVSBN": (lambda: FVSBN(64, 1), {"steps": 1500, "rate": 1e-2, "decay": 0.0}),
    "NADE": (lambda: NADE(64, 1, hidden=100), {"steps": 1500, "rate": 3e-3, "decay": 0.0}),
    "MADE": (
        lambda: MADE(64, 1, hidden=(1000,), skip=True, dropout=0.5),
        {"steps": 2000, "rate": 2e-3, "decay": 0.1},
    ),
    "MADE, all orders": (
        lambda: MADE(64, 1, hidden=(500, 500), skip=True, dropout=0.2),
        {"steps": 4000, "rate": 1e-3, "decay": 0.1},
    ),
    "PixelRNN, rows": (
        lambda: PixelRNN((8, 8), 1, kind="row", layers=2, hidden=12),
        {"steps": 700, "rate": 1e-2, "decay": 0.1},
    ),
    "PixelRNN, diagonals": (
        lambda: PixelRNN((8, 8), 1, layers=2, hidden=12),
        {"steps": 700, "rate": 1e-2, "decay": 0.1},
    ),
}
HEADER = ["model", "nats an image", "training images", "parameters", "steps", "CPU s"]


class NewOrders(nn.Module):
    """The law of a MADE in an order and with masks that are drawn anew whenever it is asked for, while training."""

    def __init__(self, network: MADE) -> None:
        super().__init__()
        self.network = network
        self.generator = torch.Generator().manual_seed(0)

    def forward(self) -> Autoregressive | Mixture:
        """One order in training; the mixture of several in evaluation."""
        if self.training:
            return self._member(self.generator)
        fixed = torch.Generator().manual_seed(1)
        return Mixture([self._member(fixed) for _ in range(ORDERS)], torch.zeros(ORDERS))

    def _member(self, generator: torch.Generator) -> Autoregressive:
        order = torch.randperm(64, generator=generator).tolist()
        seed = int(torch.randint(1 << 30, (), generator=generator))
        return Autoregressive(self.network.reordered(order, seed=seed), (8, 8), BernoulliElement())


def train(law: nn.Module, x: Tensor, *, steps: int, rate: float, decay: float) -> EMA:
    """Batches of 64, a learning rate that falls to zero along a cosine; return the average of the weights."""
    average = EMA(law, 0.995)
    fit(
        MaximumLikelihood(law),
        Batches(x, 64, seed=0, drop_last=True),
        lambda parameters: torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        ema=average,
        progress=False,
        accelerator="cpu",
    )
    law.eval()
    return average


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=list(MODELS), help="only this one")
    parser.add_argument("--validate", action="store_true", help="train on 1 150 images, score the 147")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = load_binary_digits()
    x, scored = digits.train.x, digits.validation.x
    if not options.validate:
        x, scored = torch.cat([x, scored]), digits.test.x
    rows = []
    for name, (make, setting) in MODELS.items():
        if options.model not in (None, name):
            continue
        torch.manual_seed(options.seed)
        begin, network = time.process_time(), make()
        law = NewOrders(network) if name == "MADE, all orders" else AutoregressiveLaw(network, (8, 8), BernoulliElement())
        steps = 3 if options.smoke else int(setting["steps"])
        average = train(law, x, steps=steps, rate=setting["rate"], decay=setting["decay"])
        seconds = time.process_time() - begin
        with torch.no_grad(), average.applied():
            nats = mean_and_error(-law().log_prob(scored))
        count = sum(parameter.numel() for parameter in network.parameters())
        rows.append([name, str(nats), str(len(x)), str(count), str(steps), f"{seconds:.0f}"])
        print(rows[-1], flush=True)
    found = Measured("Belief networks, NADE, MADE and PixelRNN on the digits, 8x8, black and white")
    found.conditions = [
        f"{len(scored)} {'validation' if options.validate else 'test'} images, exact log-likelihoods; ± one standard error "
        f"over images; seed {options.seed}. {software()}."
    ]
    print(found.add("Nats an image; lower is better.", HEADER, rows))
    print(found.write(options.out / "digits_made.json"))
    return found


if __name__ == "__main__":
    main()
