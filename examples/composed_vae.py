"""Three families in one model: an autoencoder with a flow as its prior and a PixelCNN as its decoder.

OMP_NUM_THREADS=1 python examples/composed_vae.py --seconds 30                        the embedded digits, eight models
PROBGEN_DATA=folder python examples/composed_vae.py --data mnist --seconds 150        MNIST, binarized anew at every visit
python examples/composed_vae.py --smoke                                               seconds

Every model gets the same seconds of one core, steps of 64 images, and a rate that falls to zero. The bound and the importance
weighted estimate are upper bounds of bits/dim (in expectation); `pixels alone` has no latents and is exact. A decoder that sees
all pixels before the one it draws may do without codes; free bits keep some of them, a narrow decoder that sees the three
nearest pixels only needs them.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, binarize, load_binary_digits, load_mnist
from probgen.demo import Measured, software
from probgen.distributions import Autoregressive, Estimate, TransformedDistribution, standard_normal
from probgen.distributions.latent import FlowPosterior
from probgen.flows import inverse_autoregressive_flow, masked_autoregressive_flow
from probgen.infer import ELBO, FreeBits, MaximumLikelihood, Objective, TimeBudget, fit
from probgen.metrics import mean_and_error
from probgen.plot import image_grid

FEATURES = 4
HEADER = ["model", "bound, bits/dim", "importance weighted", "KL", "active", "information", "reliance", "steps", "CPU s"]


class PixelDecoder(nn.Module):
    """Every pixel given the code and the pixels before it: features of the code at each pixel, then a gated PixelCNN.

    Args:
        latent: Size of the code.
        image: ``(H, W)``.
        narrow: One layer that sees the nearest pixels only, instead of three that see nearly all.
        channels: Channels of the stacks.
    """

    def __init__(self, latent: int, image: tuple[int, int], *, narrow: bool = False, channels: int = 12) -> None:
        super().__init__()
        self.event_shape, shape = image, (FEATURES, *image)
        self.features = nn.Sequential(pg.nn.MLP(latent, math.prod(shape), hidden=(128,)), nn.Unflatten(-1, shape))
        view = {"layers": 1, "first_kernel_size": 3} if narrow else {"layers": 3, "first_kernel_size": 5}
        self.law = pg.autoregressive.gated_pixel_cnn(image, channels=channels, head_channels=32, context_shape=shape, **view)

    def forward(self, z: Tensor) -> Autoregressive:
        """The law of an image for codes ``[*batch, latent]``."""
        features = self.features(z.reshape(-1, z.shape[-1]))
        return self.law(features.reshape(*z.shape[:-1], *features.shape[1:]))


class Parts(NamedTuple):
    """What a model is made of."""

    flow_prior: bool = False
    pixels: bool = False
    narrow: bool = False
    flow_posterior: bool = False
    free_bits: float = 0.0


MODELS = {
    "VAE": Parts(),
    "flow prior": Parts(flow_prior=True),
    "flow prior and posterior": Parts(flow_prior=True, flow_posterior=True),
    "pixel decoder": Parts(pixels=True),
    "flow prior, pixel decoder": Parts(flow_prior=True, pixels=True),
    "the same, free bits": Parts(flow_prior=True, pixels=True, free_bits=3.0),
    "the same, narrow": Parts(flow_prior=True, pixels=True, narrow=True),
}


def build(parts: Parts, image: tuple[int, int], latent: int, mean: Tensor) -> pg.vae.VAE:
    """Put the parts together; every one is a distribution or a module that returns one."""
    torch.manual_seed(0)
    plain = pg.vae.mlp_vae(image, latent, hidden=(128,), mean=mean)
    prior, encoder, decoder = standard_normal(latent), plain.encoder, plain.decoder
    if parts.flow_prior:  # densities are what a prior is asked for: the inverse is one pass
        prior = TransformedDistribution(prior, masked_autoregressive_flow(latent, layers=3, hidden=(64,)))
    if parts.flow_posterior:  # draws are what a guide is asked for: the forward direction is one pass
        flow = inverse_autoregressive_flow(latent, context_shape=(32,), layers=2, hidden=(64,))
        encoder = FlowPosterior(encoder, flow, nn.Sequential(nn.Flatten(), nn.Linear(math.prod(image), 32), nn.Tanh()))
    if parts.pixels:
        decoder = PixelDecoder(latent, image, narrow=parts.narrow)
    return pg.vae.VAE(prior, decoder, encoder)


class PerImage(Objective):
    """A sum over the batch as a mean, so that clipping and rates do not depend on its size."""

    def __init__(self, loss: Objective) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, x: Tensor) -> Tensor:
        """The mean loss of an image."""
        return self.loss(x) / len(x)


def train(
    loss: Objective, x: Tensor, seconds: float, rate: float, transform: Callable[[Tensor], Tensor] | None
) -> tuple[int, float]:
    """Train for a time; return steps and CPU seconds."""
    budget = TimeBudget(seconds, warm_up=0.02)
    history = fit(
        loss,
        Batches(x, 64, seed=0, drop_last=True, transform=transform),
        lambda parameters: torch.optim.Adam(parameters, lr=rate, fused=True),
        steps=10_000_000,
        schedule=budget.schedule,
        clip_norm=50.0,
        callbacks=[budget],
        log_every=500,
        progress=False,
        accelerator="cpu",
    )
    return history.steps, budget.spent


def bits(nats: Tensor, dims: int) -> str:
    """Mean and standard error over images."""
    return str(mean_and_error(-nats.detach() / (dims * math.log(2))))


def row(name: str, vae: pg.vae.VAE, x: Tensor, draws: int) -> list[str]:
    """Bound, estimate, and what the doctor says about the codes."""
    dims = math.prod(x.shape[1:])
    with torch.no_grad():
        law = vae.distribution()
        bound = law.elbo(x, min(draws, 10), closed_form=False)
        estimate: Estimate = law.log_prob_estimate(x, draws, draws_at_once=10)
        found = pg.vae.diagnose(vae, x[:300], gap_data=0)
    reliance = 0.0 if found.decoder is None else found.decoder.reliance
    codes = [f"{found.divergence:.2f}", f"{found.num_active} of {found.num_units}"]
    return [name, bits(bound, dims), bits(estimate.value, dims), *codes, f"{found.information:.2f}", f"{reliance:.2f}"]


def alone(x: Tensor, test: Tensor, image: tuple[int, int], seconds: float, rate: float, transform: object) -> list[str]:
    """The decoder's network without codes: an exact law."""
    torch.manual_seed(0)
    law = pg.autoregressive.gated_pixel_cnn(image, channels=12, layers=3, first_kernel_size=5, head_channels=32)
    steps, spent = train(MaximumLikelihood(law), x, seconds, rate, transform)  # type: ignore[arg-type]
    with torch.no_grad():
        exact = bits(torch.cat([law.eval()().log_prob(part) for part in test.split(250)]), math.prod(image))
    return ["pixels alone (exact)", exact, exact, "-", "-", "-", "-", str(steps), f"{spent:.0f}"]


def load(name: str, smoke: bool) -> tuple[Tensor, Tensor]:  # noqa: FBT001
    """Training and test images ``[n, H, W]``; those of MNIST as probabilities of a white pixel, the test ones drawn once."""
    if name == "digits":
        found = load_binary_digits()
        return torch.cat([found.train.x, found.validation.x]).reshape(-1, 8, 8), found.test.x.reshape(-1, 8, 8)
    found = load_mnist()
    train, test = (part.x.reshape(-1, 28, 28).float() / 255 for part in (found.train, found.test))
    test = binarize(test, torch.Generator().manual_seed(0))
    return train, test[: 50 if smoke else 500]


def main(argv: Sequence[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=("digits", "mnist"), default="digits")
    parser.add_argument("--only", nargs="*", choices=tuple(MODELS), default=None, help="these models; default: all")
    parser.add_argument("--seconds", type=float, default=30.0, help="training time of the processor for each model")
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--draws", type=int, default=100, help="importance samples of every image")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="a tenth of a second each")
    options = parser.parse_args(argv)
    seconds, draws = (0.1, 2) if options.smoke else (options.seconds, options.draws)
    torch.set_num_threads(1)
    x, test = load(options.data, options.smoke)
    latent, transform = (8, None) if options.data == "digits" else (20, binarize)
    image = (x.shape[-2], x.shape[-1])
    rows, drawn = [], []
    for name in MODELS if options.only is None else options.only:
        parts, begin = MODELS[name], time.process_time()
        vae = build(parts, image, latent, x.mean(0))
        free = FreeBits(parts.free_bits) if parts.free_bits else None  # a flow mixes units: the code is one group
        loss = PerImage(vae.loss(ELBO(free_bits=free)))
        steps, spent = train(loss, x, seconds, options.rate, transform)
        rows.append([*row(name, vae.eval(), test, draws), str(steps), f"{spent:.0f}"])
        drawn.append(vae.distribution().sample((10,)))
        print(rows[-1], f"{time.process_time() - begin:.0f} s with evaluation", flush=True)
    rows.append(alone(x, test, image, seconds, options.rate, transform))
    found = Measured(f"An autoencoder with a flow prior and a PixelCNN decoder on {options.data}")
    found.conditions = [
        f"{len(test)} test images in black and white, ± one standard error over images; bound with 10 draws, importance "
        f"weighted with {draws}, both above the truth in expectation; KL, information and reliance (what codes of other images "
        f"cost) in nats over 300 images; {latent} latents, one seed. {software()}.",
        options.condition,
    ]
    print(found.add("Equal seconds of one core; lower bits are better.", HEADER, rows))
    print(found.write(options.out / f"composed_vae_{options.data}.json"))
    image_grid(torch.cat(drawn), columns=10).savefig(options.out / f"composed_vae_{options.data}.png", dpi=110)
    return found


if __name__ == "__main__":
    main()
