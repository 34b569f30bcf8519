"""Autoencoders on the 8x8 digits: reconstructions, features for few labels, and what random codes decode to.

python examples/few_labels.py            a minute or two on one core; writes out/autoencoders.json and a picture
python examples/few_labels.py --smoke    seconds

1. Errors of principal components and of linear, deep, convolutional and denoising autoencoders with eight codes.
2. A classifier that starts from the encoder of an autoencoder against the same network from scratch, on few labels.
3. Images decoded from normal codes: those of a plain autoencoder beside those of a variational one, by Fréchet distance. All
   are far from real images; with eight codes and this decoder the variational one is not nearer.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_digits
from probgen.demo import Measured, software
from probgen.distributions.elements import NormalElement
from probgen.infer import fit
from probgen.metrics import frechet_report, train_classifier_features
from probgen.plot import image_grid

CODES = 8


def trained(loss: nn.Module, data: Tensor | tuple[Tensor, ...], steps: int, *, batch: int = 100, rate: float = 3e-3) -> None:
    """Adam with a learning rate that falls to zero."""
    fit(
        loss,
        Batches(data, batch, seed=0),
        lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        progress=False,
        accelerator="cpu",
    )


def autoencoders(x: Tensor, steps: int) -> dict[str, pg.vae.Autoencoder]:
    """Five of them, trained, for images ``[n, 1, 8, 8]``; principal components and the linear one see vectors."""
    flat, mean = x.flatten(1), x.mean(0)
    made = {"linear": pg.vae.linear_autoencoder(64, CODES), "deep": pg.vae.mlp_autoencoder((1, 8, 8), CODES, mean=mean)}
    made["convolutional"] = pg.vae.conv_autoencoder((1, 8, 8), CODES, width=16, multipliers=(1, 2), mean=mean)
    made["denoising, deep"] = pg.vae.mlp_autoencoder((1, 8, 8), CODES, mean=mean)
    for name, model in made.items():
        noise = pg.vae.NormalCorruption(0.3) if "denoising" in name else None
        trained(model.loss(noise), flat if name == "linear" else x, steps)
    return {"principal components": pg.vae.principal_components(flat, CODES).autoencoder(), **made}


def error(model: pg.vae.Autoencoder, x: Tensor, given: Tensor | None = None) -> str:
    """The mean squared error of an image, summed over its pixels."""
    with torch.no_grad():
        shape = (len(x), *model.event_shape)
        return f"{float(model.error(x.reshape(shape), None if given is None else given.reshape(shape)).mean()):.3f}"


def wide(x: Tensor) -> pg.vae.Autoencoder:
    """The autoencoder whose features are used: 64 of them, after one hidden layer."""
    return pg.vae.mlp_autoencoder((1, 8, 8), 64, hidden=(256,), mean=x.mean(0))


def few_labels(digits: object, x: Tensor, test: Tensor, each: tuple[int, ...], seeds: tuple[int, ...], steps: int) -> list:
    """Accuracies: features of a denoising autoencoder against a start from scratch, on the same labels."""
    torch.manual_seed(0)
    features = wide(x)
    trained(features.loss(pg.vae.MaskingCorruption(0.3)), x, steps)
    rows, labels = [], digits.train.labels
    for count in each:
        scores: list[list[float]] = []
        for seed in seeds:
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
            taken = torch.cat([order[labels[order] == digit][:count] for digit in range(10)])
            scores.append([])
            for start in (wide(x), features):
                torch.manual_seed(seed)
                classifier = pg.vae.classifier_on_codes(start, 10)
                trained(classifier.loss(), (x[taken], labels[taken]), max(steps // 4, 1), batch=50, rate=1e-3)
                with torch.no_grad():
                    found = classifier(test).logits.argmax(-1) == digits.test.labels
                scores[-1].append(float(found.float().mean()))
        table = torch.tensor(scores)
        spread = table.std(0) if len(seeds) > 1 else torch.zeros(2)
        rows.append([str(10 * count), *(f"{m:.3f} ± {s:.3f}" for m, s in zip(table.mean(0), spread, strict=True))])
    return rows


def random_codes(x: Tensor, test: Tensor, digits: object, steps: int) -> tuple[list[list[str]], Tensor]:
    """Draws from codes that are normal, by the moments of the training codes or by the prior; distances and images."""
    torch.manual_seed(0)
    plain = pg.vae.mlp_autoencoder((1, 8, 8), CODES, mean=x.mean(0))
    trained(plain.loss(), x, steps)
    vae = pg.vae.mlp_vae((1, 8, 8), CODES, NormalElement("shared"), mean=x.mean(0))
    trained(vae.loss(), x, steps)
    extractor = train_classifier_features(
        x,
        digits.train.labels,
        test=(test, digits.test.labels),
        name="digits classifier",
        num_features=32,
        steps=min(steps, 600),
    )
    codes, noise = plain.encode(x).detach(), torch.randn(len(test), CODES)
    made = {
        "autoencoder, codes N(0, I)": plain.decode(noise),
        "autoencoder, codes with the moments of the training codes": plain.decode(codes.mean(0) + codes.std(0) * noise),
        "variational autoencoder, mean of p(x | z)": vae.decode(noise).mean,
    }
    rows, shown = [], []
    for name, images in made.items():
        found = frechet_report(images.detach().clamp(0, 1), x, test, extractor)
        rows.append([name, str(found.distance), str(found.floor)])
        shown.append(images[:10].detach())
    return rows, torch.cat(shown)


def main(argv: list[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    smoke, digits = options.smoke, load_digits()
    steps = 4 if smoke else options.steps
    x, test = (split.x.float().unsqueeze(1) / 16 for split in (digits.train, digits.test))
    found = Measured("Autoencoders on the digits, 8x8")
    found.conditions = [f"{len(x)} training images, {len(test)} test images; {steps} steps. {software()}.", options.condition]
    noisy = test + 0.3 * torch.randn_like(test)
    rows = [[name, error(m, x), error(m, test), error(m, test, noisy)] for name, m in autoencoders(x, steps).items()]
    caption = f"Squared error of an image, {CODES} codes; pixels in [0, 1]; the noise has a standard deviation of 0.3."
    print(found.add(caption, ["autoencoder", "training", "test", "test, noisy input"], rows), flush=True)
    each, seeds = ((1,), (0,)) if smoke else ((1, 5, 20), (0, 1, 2))
    rows = few_labels(digits, x, test, each, seeds, steps)
    caption = "Accuracy on test images, mean and spread over three draws of the labels."
    print(found.add(caption, ["labels", "from scratch", "from an autoencoder"], rows), flush=True)
    rows, shown = random_codes(x, test, digits, steps)
    print(found.add("Squared Fréchet distance of decoded normal codes.", ["codes", "distance", "real/real floor"], rows))
    print(found.write(options.out / "autoencoders.json"))
    try:
        image_grid(torch.cat([test[:10], shown])[:, 0].clamp(0, 1), columns=10).savefig(
            options.out / "autoencoders.png", dpi=110
        )
    except ImportError as error_:
        print(error_)
    return found


if __name__ == "__main__":
    main()
