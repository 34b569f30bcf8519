"""Flows on the torus, the sphere and the rotations: laws with several modes fitted, and what is lost in nats."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import pyro
import pyro.distributions as dist
import torch
from pyro.nn import PyroModule
from torch import Tensor
from torch.distributions.constraints import Constraint

import probgen as pg
from probgen.data import Batches
from probgen.distributions import UniformRotation, UniformSphere, flow_on
from probgen.distributions.bijectors import Bijector, matrix_of_quaternion
from probgen.distributions.constraints import rotation_matrix, torus, unit_sphere


@dataclass(frozen=True)
class Problem:
    """A law with a known density on a manifold, and the flow that is to learn it."""

    name: str
    support: Constraint
    flow: Callable[[], Bijector]
    sample: Callable[[int], Tensor]
    log_prob: Callable[[Tensor], Tensor]
    log_uniform: float


class OnManifold(PyroModule):
    """x ~ a flow whose draws stay on the manifold; its base is uniform there."""

    def __init__(self, problem: Problem):
        super().__init__()
        self.support = problem.support
        self.bijector = problem.flow()

    def law(self):
        """The distribution at the site."""
        return flow_on(self.support, self.bijector)

    def forward(self, x):
        """The Pyro program."""
        with pyro.plate("data", len(x)):
            return pyro.sample("x", self.law(), obs=x)


def torus_problem() -> Problem:
    """Three heaps of two angles (think of the backbone of a protein), one across the seam."""
    means = torch.tensor([[-1.1, -0.8], [-1.3, 2.6], [3.0, -3.0]])
    truth = dist.MixtureSameFamily(
        dist.Categorical(torch.tensor([0.5, 0.3, 0.2])),
        dist.VonMises(means, torch.tensor([8.0, 12.0, 4.0])[:, None]).to_event(1),
    )
    return Problem(
        "torus",
        torus,
        lambda: pg.flows.torus_flow(2, layers=6),
        lambda count: truth.sample((count,)),
        truth.log_prob,
        -2 * math.log(2 * math.pi),
    )


def sphere_problem() -> Problem:
    """Four von Mises-Fisher heaps on the sphere: density kappa exp(kappa mu x) / (4 pi sinh kappa)."""
    centers = torch.nn.functional.normalize(torch.tensor([[1.0, 0, 0], [-0.6, 0.8, 0], [0, -0.5, 0.8], [0.1, 0, -1.0]]), dim=-1)
    kappa = torch.tensor([20.0, 8.0, 12.0, 30.0])
    constant = kappa.log() - math.log(2 * math.pi) - kappa - torch.log1p(-torch.exp(-2 * kappa))

    def sample(count: int) -> Tensor:
        chosen = torch.randint(4, (count,))
        rate, mean = kappa[chosen], centers[chosen]
        unit = torch.rand(count)
        height = 1 + (unit + (1 - unit) * torch.exp(-2 * rate)).log() / rate
        across = torch.randn(count, 3)
        across = torch.nn.functional.normalize(across - (across * mean).sum(-1, keepdim=True) * mean, dim=-1)
        x = height[:, None] * mean + (1 - height.square()).clamp_min(0).sqrt()[:, None] * across
        return torch.nn.functional.normalize(x, dim=-1)

    def log_prob(x: Tensor) -> Tensor:
        return torch.logsumexp(constant + kappa * (x @ centers.mT), -1) - math.log(4)

    level = float(UniformSphere(2).log_prob(centers[0]))
    return Problem("sphere", unit_sphere, lambda: pg.flows.sphere_flow(2, layers=6), sample, log_prob, level)


def rotation_problem() -> Problem:
    """Three heaps of rotations: density exp(kappa cos theta) / (I0 - I1), theta the angle to the center of the heap."""
    centers = matrix_of_quaternion(torch.tensor([[1.0, 0, 0, 0], [0.2, 1.0, 0.3, 0], [0.5, 0.5, -0.5, 0.5]]))
    kappa = 8.0
    scale = torch.special.i0e(torch.tensor(kappa)) - torch.special.i1e(torch.tensor(kappa))
    angle = torch.linspace(0, math.pi, 4001)
    heights = (1 - angle.cos()) * torch.exp(kappa * (angle.cos() - 1))
    shares = heights.cumsum(0) / heights.sum()

    def sample(count: int) -> Tensor:
        theta = angle[torch.searchsorted(shares, torch.rand(count)).clamp_max(4000)]
        axis = torch.nn.functional.normalize(torch.randn(count, 3), dim=-1)
        turn = torch.cat([(theta / 2).cos()[:, None], (theta / 2).sin()[:, None] * axis], -1)
        return centers[torch.randint(3, (count,))] @ matrix_of_quaternion(turn)

    def log_prob(x: Tensor) -> Tensor:
        cosine = (torch.einsum("kij,nij->nk", centers, x) - 1) / 2
        return torch.logsumexp(kappa * (cosine - 1), -1) - scale.log() - math.log(3)

    return Problem("rotations", rotation_matrix, lambda: pg.flows.rotation_flow(layers=6), sample, log_prob, 0.0)


def fitted(problem: Problem, *, smoke: bool) -> tuple[OnManifold, float]:
    """Fit, print the row of the table, return the model and the divergence from the truth in nats."""
    torch.manual_seed(0)
    model = OnManifold(problem)
    pg.infer.fit(
        pg.infer.ELBO()(model),
        Batches(problem.sample(20_000 if not smoke else 500), 256),
        lambda parameters: torch.optim.Adam(parameters, lr=2e-3, fused=True),
        steps=10 if smoke else 1500,
        progress=not smoke,
    )
    x = problem.sample(5000 if not smoke else 500)
    with torch.no_grad():
        truth, learned = problem.log_prob(x), model.law().log_prob(x)
    lost = truth - learned
    error = float(lost.std()) / math.sqrt(len(x))
    print(
        f"{problem.name:10} entropy {-float(truth.mean()):7.3f}   cross-entropy: flow {-float(learned.mean()):7.3f}, uniform "
        f"{-problem.log_uniform:6.3f}   KL(truth || flow) = {float(lost.mean()):.4f} +- {error:.4f} nats"
    )
    return model, float(lost.mean())


def picture(models: dict[str, OnManifold], problems: dict[str, Problem], path: str) -> None:
    """Truth and flow: density of the torus, density of the sphere by longitude and latitude, where rotations take the pole."""
    import matplotlib.pyplot as plt

    figure = plt.figure(figsize=(9, 7))
    axis = torch.linspace(-3.14, 3.14, 120)
    grid = torch.cartesian_prod(axis, axis)
    longitude, latitude = torch.meshgrid(axis, axis / 2.0, indexing="ij")
    points = torch.stack([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()], -1).reshape(
        -1, 3
    )
    points = torch.nn.functional.normalize(points, dim=-1)
    for column, (title, of) in enumerate((("truth", None), ("flow", models))):
        density = {name: problems[name].log_prob if of is None else of[name].law().log_prob for name in problems}
        with torch.no_grad():
            plot = figure.add_subplot(3, 2, column + 1)
            plot.pcolormesh(axis, axis, density["torus"](grid).exp().reshape(120, 120).T, shading="auto")
            plot.set(title=f"torus: {title}", aspect="equal")
            plot = figure.add_subplot(3, 2, column + 3, projection="mollweide")
            plot.pcolormesh(longitude, latitude, density["sphere"](points).exp().reshape(120, 120), shading="auto")
            plot.set_title(f"sphere: {title}", fontsize=10)
            plot = figure.add_subplot(3, 2, column + 5, projection="mollweide")
            draws = problems["rotations"].sample(2000) if of is None else of["rotations"].law().sample((2000,))
            pole = draws[:, :, 2]
            plot.scatter(torch.atan2(pole[:, 1], pole[:, 0]), pole[:, 2].clamp(-1, 1).asin(), s=2)
            plot.set_title(f"rotations: image of the pole, {title}", fontsize=10)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main(argv: list[str] | None = None) -> dict[str, float]:
    """Train on all three; print the table; return the divergences in nats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="a few steps")
    parser.add_argument("--picture", default="", help="where to write a picture")
    options = parser.parse_args(argv)
    problems = {problem.name: problem for problem in (torus_problem(), sphere_problem(), rotation_problem())}
    results = {name: fitted(problem, smoke=options.smoke) for name, problem in problems.items()}
    models = {name: model for name, (model, _) in results.items()}
    print(f"uniform rotation, for comparison: log-density {float(UniformRotation().log_prob(torch.eye(3))):.1f} everywhere")
    if options.picture:
        picture(models, problems, options.picture)
    return {name: divergence for name, (_, divergence) in results.items()}


if __name__ == "__main__":
    main()
