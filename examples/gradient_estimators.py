"""The gradient of the evidence lower bound on real digits, estimated in four ways: bias and noise of each.

python examples/gradient_estimators.py            half a minute of training, then 400 gradients of each kind
python examples/gradient_estimators.py --smoke    seconds

A variational autoencoder is trained for a while; then the gradient in the encoder's last layer is taken again and again for
the same images, with fresh draws: through the draw (pathwise), with a divergence in closed form, without the score of the
encoder (sticking the landing), and by the score function, with and without a baseline. All estimate the same vector; how far
single estimates scatter around it differs by orders of magnitude. The naive one, which holds draws constant, estimates zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import kl_divergence

import probgen as pg
from probgen.plot import table

Bound = Callable[[pg.vae.VAE, Tensor], Tensor]


def parts(vae: pg.vae.VAE, x: Tensor, *, through: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Log joint, log q with and log q without gradients of the encoder, each ``[N]``; draws carry gradients or not."""
    q = vae.encode(x)
    z = q.rsample() if through else q.sample()
    frozen = type(q.base_dist)(q.base_dist.loc.detach(), q.base_dist.scale.detach()).to_event(1)
    return vae.decode(z).log_prob(x) + vae.prior.log_prob(z), q.log_prob(z), frozen.log_prob(z)


def naive(vae: pg.vae.VAE, x: Tensor) -> Tensor:
    """Draws as numbers: the gradient of log q alone, zero on average."""
    joint, log_q, _ = parts(vae, x, through=False)
    return joint - log_q


def score_function(vae: pg.vae.VAE, x: Tensor) -> Tensor:
    """The value of the bound times the score of the draw."""
    joint, log_q, constant = parts(vae, x, through=False)
    return (joint - constant).detach() * log_q


def with_baseline(vae: pg.vae.VAE, x: Tensor) -> Tensor:
    """The same, less the value of another, independent draw for the same image."""
    joint, log_q, constant = parts(vae, x, through=False)
    other, _, other_constant = parts(vae, x, through=False)
    return (joint - constant - other + other_constant).detach() * log_q


def pathwise(vae: pg.vae.VAE, x: Tensor) -> Tensor:
    """Through the draw."""
    joint, log_q, _ = parts(vae, x, through=True)
    return joint - log_q


def closed_form(vae: pg.vae.VAE, x: Tensor) -> Tensor:
    """Through the draw of the reconstruction; the divergence from the prior in closed form."""
    q = vae.encode(x)
    prior = torch.distributions.Normal(0.0, 1.0)
    return vae.decode(q.rsample()).log_prob(x) - kl_divergence(q.base_dist, prior).sum(-1)


def landing(vae: pg.vae.VAE, x: Tensor) -> Tensor:
    """Through the draw, without the score of the encoder, whose mean is zero."""
    joint, _, constant = parts(vae, x, through=True)
    return joint - constant


BOUNDS: dict[str, Bound] = {
    "pathwise": pathwise,
    "pathwise, closed-form divergence": closed_form,
    "sticking the landing": landing,
    "score function": score_function,
    "score function, baseline": with_baseline,
    "naive": naive,
}


def gradients(vae: pg.vae.VAE, x: Tensor, bound: Bound, count: int) -> Tensor:
    """Estimates of the gradient in the encoder's last weights, ``[count, weights]``."""
    weights = list(vae.encoder.parameters())[-2:]
    found = []
    for _ in range(count):
        grads = torch.autograd.grad(bound(vae, x).mean(), weights)
        found.append(torch.cat([grad.flatten() for grad in grads]))
    return torch.stack(found).double()


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train, measure, print; return the noise of each estimator relative to the length of the gradient."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few steps and gradients")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = pg.data.load_binary_digits().train.x.flatten(1)
    vae = pg.vae.mlp_vae((64,), latent=8, hidden=(64,), mean=x.mean(0))
    batches = pg.data.Batches(x, batch_size=100, seed=0)
    pg.infer.fit(vae.loss(), batches, steps=20 if options.smoke else 600, progress=False, accelerator="cpu")
    count = 30 if options.smoke else 400
    truth = gradients(vae, x[:50], landing, 10 * count).mean(0)
    noise, rows = {}, []
    for name, bound in BOUNDS.items():
        found = gradients(vae, x[:50], bound, count)
        noise[name] = float((found - found.mean(0)).square().sum(1).mean().sqrt() / truth.norm())
        along = float(found.mean(0) @ truth / truth.square().sum())
        error = float((found @ truth / truth.square().sum()).std() / count**0.5)
        rows.append([name, f"{along:.3f} ± {error:.3f}", f"{noise[name]:.2f}"])
    print(table(["estimator", "mean along the gradient (1 is right)", "noise of one, in its length"], rows))
    return noise


if __name__ == "__main__":
    main()
