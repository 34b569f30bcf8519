"""Flows in the plane against laws whose density is known: the fit can be compared with the truth, in nats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyro
import torch
from pyro.nn import PyroModule
from torch import Tensor

from probgen.data import Batches
from probgen.data.toys import TOYS
from probgen.demo.settings import Settings
from probgen.demo.training import fit
from probgen.distributions import TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine
from probgen.flows import neural_spline_coupling
from probgen.infer import ELBO

__all__ = ["PlaneFit", "fit_plane"]


@dataclass(frozen=True)
class PlaneFit:
    """A toy, its fit, and how far apart they are.

    Attributes:
        name: The toy.
        truth: Its log-density.
        fitted: The flow's log-density.
        divergence: KL(truth || fit) by a sample of the truth, nats.

    Example:
        >>> from probgen.demo import PlaneFit
        >>> PlaneFit("rings", lambda x: x.sum(-1), lambda x: x.sum(-1), 0.1).name
        'rings'
    """

    name: str
    truth: Callable[[Tensor], Tensor]
    fitted: Callable[[Tensor], Tensor]
    divergence: float


class _PlaneFlow(PyroModule):
    """x ~ a spline coupling flow in the plane."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.bijector = neural_spline_coupling(2, layers=6, hidden=(64, 64), bins=16) >> Affine(0.0, scale)

    def law(self) -> TransformedDistribution:
        return TransformedDistribution(standard_normal(2), self.bijector)

    def forward(self, x: Tensor) -> Tensor:
        with pyro.plate("points", len(x)):
            return pyro.sample("x", self.law(), obs=x)


def fit_plane(name: str, settings: Settings) -> PlaneFit:
    """Fit a spline coupling flow to 20 000 draws of one toy.

    Args:
        name: A key of ``probgen.data.toys.TOYS``.
        settings: ``toy_steps`` and ``seed`` are used.

    Example:
        >>> from probgen.demo import Settings, fit_plane
        >>> fit_plane("rings", Settings.smoke()).divergence > 0
        True
    """
    torch.manual_seed(settings.seed)
    toy = TOYS[name]()
    model = _PlaneFlow(scale=1.6)
    fit(ELBO()(model), Batches(toy.sample((20_000,)), 512, seed=settings.seed), settings.toy_steps, 5e-3)
    model.eval()
    x = toy.sample((4000,))

    @torch.no_grad()
    def fitted(points: Tensor) -> Tensor:
        return model.law().log_prob(points)

    return PlaneFit(name, toy.log_prob, fitted, float((toy.log_prob(x) - fitted(x)).mean()))
