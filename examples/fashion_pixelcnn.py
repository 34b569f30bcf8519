"""PixelCNN++ on Fashion-MNIST as it is stored, 28x28 bytes: bits per dimension after ten minutes of one core's time.

PROBGEN_DATA=folder OMP_NUM_THREADS=1 python examples/fashion_pixelcnn.py --minutes 10
python examples/fashion_pixelcnn.py --smoke     seconds; without the data, on the embedded digits enlarged to 28x28

The law of a pixel is a mixture of discretized logistics over its 256 levels, so the figure is the code length of the integers
themselves: no noise is added, nothing is a bound. Held-out rows of the training set show how far the training is; the test
images are looked at once, at the end. For comparison: each pixel for itself (a histogram), and a general compressor on all test
images at once.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import time
from pathlib import Path

import torch
from torch import Tensor

import probgen as pg
from probgen.data import Batches, load_fashion_mnist, load_or_stand_in
from probgen.demo import Measured, software
from probgen.distributions import AutoregressiveLaw, Quantization
from probgen.distributions.elements import DiscretizedLogisticMixtureElement
from probgen.infer import Callback, MaximumLikelihood, TimeBudget, fit
from probgen.infer.training import Training
from probgen.metrics import bits_per_dim
from probgen.plot import image_grid

BYTES = Quantization(256, -1.0, 1.0)
BIT = 784 * math.log(2)  # nats of an image that costs one bit per dimension


class Record(Callback):
    """Writes down steps, seconds of the processor, bits per dimension in training since the line before."""

    def __init__(self, budget: TimeBudget, path: Path) -> None:
        self.budget, self.path = budget, path
        self.log: list[tuple[int, float, float]] = []

    def on_log(self, training: Training) -> None:
        """One line more."""
        losses = training.history.losses
        since = self.log[-1][0] if self.log else 0
        if len(losses) > since:
            recent = losses[since:]
            self.log.append((len(losses), self.budget.spent, sum(recent) / len(recent) / BIT))
            self.path.write_text(json.dumps(self.log), encoding="utf-8")
            print("{} steps, {:.0f} s, {:.3f} bits".format(*self.log[-1]), flush=True)


def load(*, smoke: bool) -> tuple[str, Tensor, Tensor, Tensor]:
    """The name of the data; training, validation and test images, integers ``[n, 28, 28]``."""
    found = load_or_stand_in(load_fashion_mnist, stand_in=smoke)
    parts = [part.x.long() for part in (found.train, found.validation, found.test)]
    return "Fashion-MNIST" if found.name == "fashion-mnist" else found.name, *parts


def build(options: argparse.Namespace) -> AutoregressiveLaw:
    """The law of an image."""
    element = DiscretizedLogisticMixtureElement(BYTES, options.components, channels=None)
    network = pg.nn.PixelCNNPlusPlus(
        (28, 28), element.num_parameters, filters=options.filters, blocks=options.blocks, dropout=options.dropout
    )
    return AutoregressiveLaw(network, (28, 28), element)


def scores(law: AutoregressiveLaw, images: Tensor) -> Tensor:
    """Log-probability of each image, in nats."""
    with torch.no_grad():
        return torch.cat([law().log_prob(BYTES.decode(part)) for part in images.split(50)])


def histogram(train: Tensor, images: Tensor) -> Tensor:
    """Log-probability of images if each pixel had a law of its own: the frequencies in the training images, plus one."""
    counts = torch.zeros(256, *train.shape[1:]).scatter_add_(0, train, torch.ones(train.shape)) + 1
    return (counts / counts.sum(0)).log().gather(0, images).sum((1, 2))


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="training time of the processor")
    parser.add_argument("--filters", type=int, default=32)
    parser.add_argument("--blocks", type=int, default=1, help="residual blocks a level, on the way down")
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--rate", type=float, default=2e-3, help="largest learning rate")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", default="32-true", help="of the training, as infer.fit takes it: bf16-mixed, ...")
    parser.add_argument("--images", type=int, default=10_000, help="test images; 0: score validation images only")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="two steps, few images, a small network")
    options = parser.parse_args(argv)
    if options.smoke:
        options.filters, options.components, options.batch, options.images = 8, 2, 4, 10
    torch.manual_seed(0)
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    name, train, validation, test = load(smoke=options.smoke)
    law = build(options)
    law.network.initialize_from(BYTES.decode(train[:: len(train) // 64][:64]))
    budget = TimeBudget(60 * options.minutes, warm_up=0.02)
    history = fit(
        MaximumLikelihood(law),
        Batches(train, options.batch, seed=0, drop_last=True, transform=lambda x, _generator: BYTES.decode(x)),
        lambda parameters: torch.optim.Adam(parameters, lr=options.rate, fused=True),
        steps=2 if options.smoke else 10_000_000,
        schedule=budget.schedule,
        clip_norm=BIT,
        callbacks=[budget, Record(budget, options.out / "autoregressive_pixelcnn_plus_plus_log.json")],
        log_every=50,
        progress=False,
        accelerator="cpu",
        precision=options.precision,
    )
    law.eval()
    pg.save(law, options.out / "autoregressive_pixelcnn_plus_plus.safetensors")
    held_out = bits_per_dim(scores(law, validation[: 10 if options.smoke else 500]), 784)
    print(f"validation: {held_out} bits")
    if not options.images:
        return Measured("validation only", [str(held_out)])
    return report(law, name, (train, test[: options.images]), len(history.losses), budget.spent, options)


def report(
    law: AutoregressiveLaw,
    name: str,
    parts: tuple[Tensor, Tensor],
    steps: int,
    seconds: float,
    options: argparse.Namespace,
) -> Measured:
    """Score the test images, draw some, write the table and the picture."""
    train, test = parts
    size = sum(parameter.numel() for parameter in law.parameters())
    packed = 8 * len(lzma.compress(bytes(test.flatten().tolist()))) / test.numel()
    begin = time.process_time()
    bits = bits_per_dim(scores(law, test), 784)
    scoring, begin = time.process_time() - begin, time.process_time()
    drawn = BYTES.encode(law().sample((2 if options.smoke else 40,)))
    sampling = time.process_time() - begin
    rows = [
        ["uniform", "8", "0"],
        ["each pixel for itself", str(bits_per_dim(histogram(train, test), 784)), "0"],
        ["LZMA, all images at once", f"{packed:.3f}", "n/a"],
        ["PixelCNN++", str(bits), f"{size:,}"],
    ]
    found = Measured(f"PixelCNN++ on {name}, 28x28 bytes, {options.minutes:g} minutes of one core")
    found.conditions = [
        f"{steps} steps of {options.batch} images in {seconds:.0f} s of one core ({options.precision}): "
        f"{steps * options.batch / len(train):.2f} passes over {len(train)} images; {options.filters} filters, blocks "
        f"{options.blocks}, 3 levels, {options.components} logistics; {len(test)} test images scored in {scoring:.0f} s, "
        f"{len(drawn)} drawn in {sampling:.0f} s. {software()}.",
        options.condition,
    ]
    print(found.conditions[0])
    print(found.add("Bits per dimension; lower is better.", ["law", "bits per dimension", "parameters"], rows), flush=True)
    print(found.write(options.out / "autoregressive_pixelcnn_plus_plus.json"))
    try:
        shown = torch.cat([test[:10], drawn]).float() / 255
        image_grid(shown, columns=10).savefig(options.out / "autoregressive_pixelcnn_plus_plus.png", dpi=110)
    except ImportError as error:
        print(error)
    return found


if __name__ == "__main__":
    main()
