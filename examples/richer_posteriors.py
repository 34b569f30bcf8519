"""Richer posteriors on the digits in black and white: what flows on top of an encoder gain, in the bound and in the evidence.

python examples/richer_posteriors.py            a minute of one core for each of the models
python examples/richer_posteriors.py --smoke    seconds

The same decoder and prior with four posteriors: independent normal coordinates, a full triangular covariance, planar maps, an
inverse autoregressive flow told by the image. The bound misses the log-evidence by KL(q || posterior); the evidence itself is
estimated by importance sampling with each model's own posterior as the proposal, so both columns should be read together.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

import probgen as pg
from probgen.distributions.bijectors import Bijector, Compose, LowerTriangular, Planar
from probgen.distributions.latent import FlowPosterior
from probgen.infer import TimeBudget
from probgen.plot import table

LATENT = 8


def triangular() -> tuple[Bijector, nn.Module | None]:
    """One linear map for all images: coordinates that hang together in the same way everywhere."""
    return LowerTriangular(LATENT), None


def planar() -> tuple[Bijector, nn.Module | None]:
    """Eight bends across a plane, the same for all images."""
    return Compose(*[Planar(LATENT) for _ in range(8)]), None


def autoregressive() -> tuple[Bijector, nn.Module | None]:
    """Two inverse autoregressive layers that a summary of the image steers."""
    flow = pg.flows.inverse_autoregressive_flow(LATENT, layers=2, hidden=(64,), context_shape=(16,))
    return flow, nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))


FLOWS: dict[str, Callable[[], tuple[Bijector, nn.Module | None]] | None] = {
    "independent normal": None,
    "triangular": triangular,
    "planar (8)": planar,
    "inverse autoregressive": autoregressive,
}


def build(flow: Callable[[], tuple[Bijector, nn.Module | None]] | None, x: Tensor) -> pg.vae.VAE:
    """An autoencoder of 64 bits whose encoder is followed by a flow."""
    vae = pg.vae.mlp_vae((64,), latent=LATENT, hidden=(128,), mean=x.mean(0))
    if flow is None:
        return vae
    bijector, summary = flow()
    return pg.vae.VAE(vae.prior, vae.decoder, FlowPosterior(vae.encoder, bijector, summary))


def main(argv: list[str] | None = None) -> dict[str, tuple[float, float]]:
    """Train, score, print; return bound and estimate of each, nats a test image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="training time of the processor for each model")
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    digits = pg.data.load_binary_digits()
    x, test = digits.train.x.flatten(1), digits.test.x.flatten(1)
    rows, found = [], {}
    for name, flow in FLOWS.items():
        torch.manual_seed(0)
        vae, budget = build(flow, x), TimeBudget(0.3 if options.smoke else options.seconds)
        history = pg.infer.fit(
            vae.loss(),
            pg.data.Batches(x, batch_size=115, seed=0),
            lambda weights: torch.optim.Adam(weights, lr=2e-3, fused=True),
            steps=10 if options.smoke else 1_000_000,
            schedule=budget.schedule,
            callbacks=[budget],
            progress=False,
            accelerator="cpu",
        )
        law = vae.eval().distribution()
        with torch.no_grad():
            bound = law.elbo(test, 20).mean()
            shown, draws = (test[:50], 10) if options.smoke else (test, 500)
            evidence = law.log_prob_estimate(shown, draws).value.mean()
        found[name] = (float(bound), float(evidence))
        rows.append([name, f"{bound:.3f}", f"{evidence:.3f}", f"{evidence - bound:.3f}", str(len(history.losses))])
    print(table(["posterior", "ELBO", "log p(x), importance sampling", "gap", "steps"], rows))
    return found


if __name__ == "__main__":
    main()
