"""Three laws at one `pyro.sample` site: a normal, a flow and a diffusion law as the prior of the same autoencoder.

OMP_NUM_THREADS=1 python examples/diffusion_prior.py             a minute and a half of one core; writes a table and a picture
python examples/diffusion_prior.py --smoke                       seconds

An autoencoder of the digits with 17 gray levels is trained under a normal prior, once with the whole divergence and once with
three tenths of it; then it is left alone, and priors of its codes are learned: a masked autoregressive flow by maximum
likelihood, a diffusion model by denoising. The density of the latter is that of its probability flow. Bits are bounds and
importance-weighted bounds of the whole model; draws are compared by the Fréchet distance in features of a classifier.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.data import Batches, load_digits
from probgen.demo import Measured, software
from probgen.distributions import Quantization, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, Bijector
from probgen.distributions.elements import DiscretizedLogisticElement
from probgen.distributions.latent import FlowPrior
from probgen.infer import ELBO, MaximumLikelihood, Objective, Player, fit
from probgen.metrics import ClassifierFeatures, frechet_report, mean_and_error, train_classifier_features
from probgen.plot import image_grid

SIZE, LEVELS = 8, Quantization(17, -1.0, 1.0)
HEADER = [
    "weight of the divergence",
    "prior",
    "bound, bits/dim",
    "importance weighted",
    "Fréchet distance",
    "CPU s of the prior",
]


class OnCodes(Objective):
    """A loss of codes in units of their own, drawn anew from a frozen encoder for every batch.

    Args:
        loss: A loss of codes.
        encoder: From data to the law of the codes.
        units: From codes of unit size to codes.
    """

    def __init__(self, loss: Objective, encoder: nn.Module, units: Bijector) -> None:
        super().__init__()
        self.loss, self.encoder, self.units = loss, encoder, units

    @property
    def players(self) -> Mapping[str, Player]:
        """Those of the loss."""
        return self.loss.players

    def forward(self, x: Tensor) -> Tensor:
        """The loss of data ``[n, *event]``."""
        with torch.no_grad():
            codes = self.units.inverse(self.encoder(x).sample())
        value: Tensor = self.loss(codes)
        return value


def train(loss: Objective, x: Tensor, steps: int, rate: float) -> float:
    """Steps of 128 with a rate that falls to zero; return CPU seconds."""
    begin = time.process_time()
    fit(
        loss,
        Batches(x, 128, seed=0, drop_last=True),
        lambda parameters: torch.optim.Adam(parameters, rate, fused=True),
        steps=steps,
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        clip_norm=2000.0,
        progress=False,
        accelerator="cpu",
    )
    return time.process_time() - begin


def autoencoder(x: Tensor, kl_weight: float, steps: int) -> pg.vae.VAE:
    """Trained under a normal prior whose divergence counts so much, and frozen."""
    torch.manual_seed(0)
    vae = pg.vae.mlp_vae((8, 8), SIZE, DiscretizedLogisticElement(LEVELS), hidden=(256,), mean=x.mean(0))
    train(vae.loss(ELBO(kl_weight=kl_weight)), x, steps, 3e-3)
    return vae.eval().requires_grad_(requires_grad=False)


def priors(vae: pg.vae.VAE, x: Tensor, steps: int) -> dict[str, tuple[TransformedDistribution, float]]:
    """Laws of the codes, and the CPU seconds of their training."""
    codes = vae.encode(x).sample()
    units = Affine(codes.mean(0), codes.std(0))
    flow = pg.flows.masked_autoregressive_flow(SIZE, layers=4, hidden=(64,))
    of_flow = train(OnCodes(MaximumLikelihood(FlowPrior(standard_normal(SIZE), flow)), vae.encoder, units), x, steps, 2e-3)
    network = pg.nn.DenoisingMLP(SIZE, hidden=(128, 128), embedding_features=32)
    diffusion = pg.diffusion.Diffusion(network, pg.diffusion.cosine_schedule(), (SIZE,), grid=200)
    of_diffusion = train(OnCodes(diffusion.denoising_loss(), vae.encoder, units), x, 2 * steps, 2e-3)
    flow.eval().requires_grad_(requires_grad=False)
    bijector = diffusion.eval().requires_grad_(requires_grad=False).probability_flow(solver="rk4", steps=16, stop=0.02)
    return {
        "normal": (standard_normal(SIZE), 0.0),
        "flow": (
            TransformedDistribution(standard_normal(SIZE), flow.eval().requires_grad_(requires_grad=False) >> units),
            of_flow,
        ),
        "diffusion": (TransformedDistribution(standard_normal(SIZE), bijector >> units), of_diffusion),
    }


def bits(nats: Tensor) -> str:
    """Mean and standard error over images."""
    return str(mean_and_error(-nats / (64 * math.log(2))))


def distance(x: Tensor, digits: pg.data.Dataset, features: ClassifierFeatures) -> str:
    """Fréchet distance of images in [-1, 1] from the training images, over that of the test images."""
    report = frechet_report(((x + 1) * 8).round(), digits.train.x.float(), digits.test.x.float(), features)
    return f"{report.distance.mean:.2f} ± {report.distance.error:.2f} (floor {report.floor.mean:.2f})"


def main(argv: Sequence[str] | None = None) -> Measured:
    """Train, measure, print and write; return what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="steps of the autoencoder and the flow; the diffusion's twice")
    parser.add_argument("--weights", nargs="*", type=float, default=[1.0, 0.3], help="weights of the divergence in training")
    parser.add_argument("--draws", type=int, default=32, help="importance samples of every image")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder of the results")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    steps, draws = (10, 2) if options.smoke else (options.steps, options.draws)
    torch.set_num_threads(1)
    digits = load_digits()
    x, test = (LEVELS.decode(part.x.long()) for part in (digits.train, digits.test))
    scored = test[:20] if options.smoke else test
    known = (digits.test.x.float(), digits.test.y)
    features = train_classifier_features(
        digits.train.x.float(), digits.train.y, test=known, name="digits classifier", steps=20 if options.smoke else 600
    )
    rows, drawn = [], []
    for weight in options.weights:
        vae = autoencoder(x, weight, steps)
        for name, (law, seconds) in priors(vae, x, steps).items():
            torch.manual_seed(1)
            whole = pg.vae.VAE(law, vae.decoder, vae.encoder).distribution()
            with torch.no_grad():
                bound = bits(whole.elbo(scored, 4, closed_form=False))
                weighted = bits(whole.log_prob_estimate(scored, draws, draws_at_once=8).value)
                images = whole.sample((len(test),))
            rows.append([f"{weight:g}", name, bound, weighted, distance(images, digits, features), f"{seconds:.0f}"])
            drawn.append(images[:12])
            print(rows[-1], flush=True)
        images = vae.decode(vae.encode(test).sample()).sample()
        rows.append([f"{weight:g}", "(codes of test images)", "-", "-", distance(images, digits, features), "-"])
    found = Measured("Priors of the codes of one autoencoder, digits with 17 gray levels")
    found.conditions = [
        f"{len(scored)} test images; {SIZE} latents; bound with 4 draws, importance weighted with {draws}, ± one standard "
        f"error over images; {len(test)} draws for the Fréchet distance ({features}), ± by the jackknife. One seed. "
        f"{software()}.",
        options.condition,
    ]
    print(found.add("One encoder and decoder for each weight; lower is better everywhere.", HEADER, rows))
    print(found.write(options.out / "diffusion_prior.json"))
    image_grid(torch.cat(drawn), columns=12).savefig(options.out / "diffusion_prior.png", dpi=110)
    return found


if __name__ == "__main__":
    main()
