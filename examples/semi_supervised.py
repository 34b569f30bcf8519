"""Few labels: a semi-supervised autoencoder (M2) on the 8x8 digits, against a classifier trained on the same labels.

python examples/semi_supervised.py            three seeds, some minutes on one core; writes out/semi_supervised.json
python examples/semi_supervised.py --smoke    seconds

Labels are drawn anew for every seed, equally many of each class; all other training images stay without. The settings were
chosen on the accuracy on the validation images with seed 100.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_binary_digits
from probgen.demo import Measured, software
from probgen.infer import fit

HEADER = ["labels", "seed", "classifier alone", "semi-supervised", "CPU s"]


def chosen(y: Tensor, each: int, seed: int) -> Tensor:
    """Indices of so many images of every class."""
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    return torch.cat([order[y[order] == digit][:each] for digit in range(10)])


def classifier_of(x: Tensor) -> pg.vae.Classifier:
    """The network that both methods use."""
    return pg.vae.mlp_classifier((64,), 10, hidden=(128,), dropout=0.2, mean=x.mean(0))


def adam(rate: float) -> object:
    """An optimizer factory."""
    return lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True)


def supervised(x: Tensor, labeled: tuple[Tensor, Tensor], steps: int) -> nn.Module:
    """The classifier, trained on the labels alone."""
    classifier = classifier_of(x)
    options = {"steps": steps, "progress": False, "accelerator": "cpu"}
    fit(classifier.loss(), [labeled], lambda p: torch.optim.AdamW(p, lr=3e-3, weight_decay=0.1, fused=True), **options)
    return classifier.eval()


def semi_supervised(x: Tensor, labeled: tuple[Tensor, Tensor], steps: int, weight: float) -> nn.Module:
    """The autoencoder with its classifier, trained on batches of all labeled and 100 unlabeled images."""
    vae = pg.vae.mlp_vae((64,), latent=16, hidden=(128,), context_shape=(10,), mean=x.mean(0))
    model = pg.vae.SemiSupervisedVAE(vae, classifier_of(x))
    known, labels = labeled

    def joined(batch: Tensor, _: torch.Generator) -> tuple[Tensor, Tensor]:
        return torch.cat([known, batch]), torch.cat([labels, labels.new_full((len(batch),), -1)])

    fit(
        model.loss(classification_weight=weight),
        Batches(x, 100, seed=0, drop_last=len(x) > 100, transform=joined),
        adam(3e-3),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        progress=False,
        accelerator="cpu",
    )
    return model.classifier.eval()


def right(classifier: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of labels that are found."""
    with torch.no_grad():
        return float((classifier(x).logits.argmax(-1) == y).float().mean())


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, nargs="+", default=[5], help="labels of every class")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--weight", type=float, default=50.0, help="of the classifier's log-probabilities")
    parser.add_argument("--validate", action="store_true", help="score the validation images")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few steps, one seed")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = load_binary_digits()
    scored = digits.validation if options.validate else digits.test
    x, y, test = digits.train.x.flatten(1), digits.train.labels, scored.x.flatten(1)
    steps, rows = 5 if options.smoke else options.steps, []
    for each in options.each[:1] if options.smoke else options.each:
        for seed in options.seeds[:1] if options.smoke else options.seeds:
            torch.manual_seed(seed)
            begin, taken = time.process_time(), chosen(y, each, seed)
            labeled = x[taken], y[taken]
            alone = right(supervised(x, labeled, min(steps, 500)), test, scored.labels)
            shared = right(semi_supervised(x, labeled, steps, options.weight), test, scored.labels)
            seconds = time.process_time() - begin
            rows.append([str(10 * each), str(seed), f"{alone:.3f}", f"{shared:.3f}", f"{seconds:.0f}"])
            print(rows[-1], flush=True)
    found = Measured("Few labels: semi-supervised autoencoder on the digits, 8x8, black and white")
    found.conditions = [
        f"{len(x)} training images, of which the first column has labels; accuracy on {len(test)} "
        f"{'validation' if options.validate else 'test'} images (one standard error is about 0.015). {software()}.",
        options.condition,
    ]
    print(found.add("Accuracy.", HEADER, rows))
    print(found.write(options.out / "semi_supervised.json"))
    return found


if __name__ == "__main__":
    main()
