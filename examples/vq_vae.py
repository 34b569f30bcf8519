"""A vector-quantized autoencoder on the binary digits: codes first, then a prior of the codes; nats, bits and draws.

python examples/vq_vae.py            some seconds a size on one core
python examples/vq_vae.py --smoke    everything runs, nothing is learned
"""

from __future__ import annotations

import argparse
import math

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_binary_digits
from probgen.distributions.elements import BernoulliElement, NetworkLaw
from probgen.vae import VQVAE, Codebook, made_code_prior

SIZE = 4
HIDDEN = 128
SHADES = " .:-=+*#%@"


def ascii_images(images: Tensor) -> str:
    """Images ``[n, 64]`` in [0, 1] side by side, as characters."""
    shade = (images.unflatten(-1, (8, 8)) * (len(SHADES) - 1)).round().long()
    return "\n".join("  ".join("".join(SHADES[k] * 2 for k in image[row].tolist()) for image in shade) for row in range(8))


def autoencoder(places: int, codes: int) -> VQVAE:
    """Codes at some places, from multilayer perceptrons."""
    encoder = nn.Sequential(nn.Linear(64, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, places * SIZE))
    network = nn.Sequential(nn.Flatten(), nn.Linear(places * SIZE, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 64))
    decoder = NetworkLaw(network, BernoulliElement(), event_shape=(64,), input_shape=(SIZE, places))
    return VQVAE(encoder, decoder, Codebook(codes, SIZE, decay=0.95, restart_below=0.05), code_shape=(places,))


def nats(model: VQVAE, x: Tensor) -> float:
    """The mean of -log p(x), from above."""
    with torch.no_grad():
        return -float(model.distribution().elbo(x).mean())


def row(places: int, codes: int, train: Tensor, test: Tensor, *, epochs: tuple[int, int], progress: bool) -> VQVAE:
    """Train one size in two stages and print its line of the table."""
    torch.manual_seed(0)
    model = autoencoder(places, codes)
    model.initialize(train)
    steps = [-(-len(train) // 64) * count for count in epochs]
    schedules = [lambda optimizer, n=n: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, n) for n in steps]
    pg.infer.fit(
        model.loss(), Batches(train, 64), lambda p: torch.optim.Adam(p, 2e-3), epochs=epochs[0], schedule=schedules[0],
        progress=progress,
    )  # fmt: skip
    model.eval()
    uniform = nats(model, test)
    model.prior = made_code_prior((places,), codes, hidden=(HIDDEN,))
    pg.infer.fit(
        model.prior_loss(), Batches(train, 64), lambda p: torch.optim.Adam(p, 2e-3), epochs=epochs[1], schedule=schedules[1],
        progress=progress,
    )  # fmt: skip
    with torch.no_grad():
        prior = -float(model.code_law().log_prob(model.codes(test)).mean()) / math.log(2)
    reconstruction = uniform - model.code_bits * math.log(2)
    print(
        f"{places:6d} x {codes:2d} codes {float(model.perplexity(train)):11.1f} {reconstruction:15.2f} {model.code_bits:10.1f} "
        f"{prior:10.1f} {uniform:12.2f} {nats(model, test):12.2f}"
    )
    return model


def main(argv: list[str] | None = None) -> None:
    """Three sizes of the code, the draws of the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    digits = load_binary_digits()
    train, test = digits.train.x.flatten(1), digits.test.x.flatten(1)
    epochs = (1, 1) if options.smoke else (140, 30)
    print("                  perplexity  reconstruction  bits of the code:     -log p(x) <=, nats:")
    print("                   of codes        nats        uniform   learned     uniform      learned")
    for places, codes in ((2, 32), (6, 16), (4, 16)):
        model = row(places, codes, train, test, epochs=epochs, progress=not options.smoke)
    with torch.no_grad():
        print("test images, decoded from 16 bits:\n" + ascii_images(model.decode(model.codes(test[:5])).mean))
        torch.manual_seed(1)
        print(
            "draws of codes from the learned prior, decoded:\n" + ascii_images(model.decode(model.code_law().sample((5,))).mean)
        )


if __name__ == "__main__":
    main()
