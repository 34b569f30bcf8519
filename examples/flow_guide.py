"""One flow as the guide of an ordinary Pyro model, eight schools: against a normal guide, weighed, and NUTS in its space."""

from __future__ import annotations

import argparse
import time

import pyro
import pyro.distributions as dist
import torch
from pyro.infer.autoguide import AutoNormal
from pyro.infer.importance import vectorized_importance_weights
from pyro.infer.mcmc import MCMC, NUTS
from pyro.infer.reparam import NeuTraReparam
from pyro.ops.stats import effective_sample_size

import probgen as pg
from probgen.distributions.numerics.pareto import pareto_smoothed

EFFECTS = torch.tensor([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
ERRORS = torch.tensor([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])


def model() -> None:
    """Eight effects around a common mean, the deviation of the true ones unknown."""
    mu = pyro.sample("mu", dist.Normal(0.0, 5.0))
    tau = pyro.sample("tau", dist.HalfCauchy(5.0))
    with pyro.plate("schools", 8):
        theta = pyro.sample("theta", dist.Normal(mu, tau))
        pyro.sample("y", dist.Normal(theta, ERRORS), obs=EFFECTS)


def fitted(guide, steps: int):
    """Minimize the negative ELBO."""
    pg.infer.fit(
        pg.infer.ELBO(particles=32, vectorize=True, max_plate_nesting=1)(model, guide),
        [()] * steps,
        lambda parameters: torch.optim.Adam(parameters, 1e-2),
        schedule=lambda optimizer: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        clip_norm=20.0,
        progress=False,
    )
    return guide.eval().requires_grad_(requires_grad=False)


def walk(program, draws: int) -> tuple[dict[str, torch.Tensor], int]:
    """Draws of NUTS, and all gradients that they took."""
    calls = []

    def counted() -> None:
        calls.append(1)
        program()

    chain = MCMC(NUTS(counted), draws, warmup_steps=draws, disable_progbar=True)
    chain.run()
    return chain.get_samples(), len(calls)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Fit the guides, walk, print; return the shapes of the tails of the guides' weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    options = parser.parse_args(argv)
    steps, draws = (5, 5) if options.smoke else (1500, 400)
    torch.manual_seed(0)
    iaf = lambda size: pg.flows.inverse_autoregressive_flow(size, layers=1, hidden=(32,), activation=torch.nn.Tanh)  # noqa: E731
    guides = {"independent normal": AutoNormal(model), "flow": pg.infer.FlowGuide(model, iaf, init_scale=0.5)}
    shapes = {}
    for name, guide in guides.items():
        start = time.process_time()
        fitted(guide, steps)
        seconds = time.process_time() - start
        with torch.no_grad():
            log_weights = vectorized_importance_weights(model, guide, num_samples=4000, max_plate_nesting=1)[0]
        shapes[name] = float(pareto_smoothed(log_weights).shape)
        print(f"{name:18s} ELBO {log_weights.mean():.2f}, k {shapes[name]:.2f}, {seconds:.1f} s")
    reparameterizer = NeuTraReparam(guides["flow"])
    plain, gradients = walk(model, draws)
    latent, gradients_in_flow = walk(reparameterizer.reparam(model), draws)
    carried = reparameterizer.transform_sample(latent["mu_shared_latent"].unsqueeze(-2))
    for name, tau, cost in (
        ("NUTS", plain["tau"], gradients),
        ("NUTS in the flow", carried["tau"].flatten(), gradients_in_flow),
    ):
        rate = 1000 * float(effective_sample_size(tau.log()[None].double(), 0, 1)) / cost
        print(f"{name:18s} tau {tau.mean():.2f} ± {tau.std():.2f}, {rate:.1f} effective draws per 1000 gradients")
    return shapes


if __name__ == "__main__":
    main()
