r"""Annealed bounds of a latent-variable model: log p(x) from below for any data, and from both sides for simulated data.

The target is the joint density as a function of the latents, :math:`f(z) = p(x, z)`, whose constant is :math:`p(x)`. For data
that the model itself has made, the latents that made them are an exact draw of :math:`p(z \mid x)`, so that the reverse chain
gives an upper bound too, and :math:`\log p(x)` lies between: how far the two are apart says what an estimate is worth, on data
that are as the model sees them.

References:
    Grosse, Ghahramani, Adams (2015). Sandwiching the marginal likelihood using bidirectional Monte Carlo.
    https://arxiv.org/abs/1511.02543
    Wu, Burda, Salakhutdinov, Grosse (2017). On the quantitative analysis of decoder-based generative models.
    https://arxiv.org/abs/1611.04273
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from probgen.distributions.estimate import Estimate
from probgen.distributions.events import drawn, scored
from probgen.distributions.latent.annealing import (
    AnnealingPath,
    Transition,
    annealed_importance_sampling,
    reverse_annealed_importance_sampling,
)
from probgen.distributions.latent.hamiltonian import tuned_hamiltonian
from probgen.distributions.latent.latent_variable import LatentVariable
from probgen.distributions.latent.marginal import MarginalDistribution

__all__ = ["Sandwich", "annealed_estimate", "sandwich"]

Start = Literal["prior", "encoder"]


class Sandwich(NamedTuple):
    """Log-densities of simulated data between two bounds.

    Attributes:
        lower: From forward annealing, ``[num_data, *batch]``, of kind "lower".
        upper: From reverse annealing, ``[num_data, *batch]``, of kind "upper".
        x: The data, ``[num_data, *batch, *event]``.

    Example:
        >>> import torch
        >>> from probgen.distributions import Estimate
        >>> from probgen.distributions.latent import Sandwich
        >>> zero = torch.zeros(2)
        >>> Sandwich(Estimate(zero - 1.0, zero, "lower"), Estimate(zero, zero, "upper"), zero).gap()
        (1.0, 0.0)
    """

    lower: Estimate
    upper: Estimate
    x: Tensor

    def gap(self) -> tuple[float, float]:
        """The mean of upper less lower bound, which bounds the error of either, and its standard error; in nats."""
        return Estimate(self.upper.value - self.lower.value, self.lower.stderr, "upper").mean()


def annealed_estimate(
    model: MarginalDistribution,
    x: Tensor,
    *,
    num_chains: int = 16,
    num_steps: int = 100,
    num_leapfrog: int = 10,
    start: Start = "prior",
    transition: Transition | None = None,
) -> Estimate:
    r"""Estimate log p(x) from below by annealed importance sampling over all latents at once; without gradients.

    It costs about ``num_steps * num_leapfrog`` gradients of the decoder for each chain, and once more for a few chains on which
    step sizes are tuned first.

    Args:
        model: The model, with ``sample_joint``, ``log_prior`` and ``log_joint``, and real-valued latents.
        x: Data ``[*batch, *event]``.
        num_chains: Independent chains for each datum.
        num_steps: Steps of the path.
        num_leapfrog: Leapfrog steps of a transition.
        start: Where the path begins: "prior", or "encoder" for the approximate posterior of a ``LatentVariable``.
        transition: Another transition than the tuned Hamiltonian one, on latents that stand one behind the other, ``[n, *batch,
            dim]``.

    Returns:
        Shape ``[*batch]``, in nats, of kind "lower".

    Raises:
        ValueError: a number is not positive, the event shape is wrong, or ``start`` is unknown or not on offer.

    References:
        Wu, Burda, Salakhutdinov, Grosse (2017). On the quantitative analysis of decoder-based generative models.
        https://arxiv.org/abs/1611.04273

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import ProbabilisticPCA, annealed_estimate
        >>> p = ProbabilisticPCA(torch.zeros(3), torch.ones(3, 2), 0.5)
        >>> _ = torch.manual_seed(0)
        >>> x = p.sample((5,))
        >>> estimate = annealed_estimate(p.latent_variable(), x, num_chains=100, num_steps=40, num_leapfrog=3)
        >>> bool(((estimate.value - p.log_prob(x)).abs() < 4 * estimate.stderr).all()), estimate.kind
        (True, 'lower')
    """
    problem, count = _problem(model, x, num_steps, start), _positive("num_chains", num_chains)
    move = _transition(problem, num_leapfrog) if transition is None else transition
    return annealed_importance_sampling(problem.path, problem.draws(count), move)


def sandwich(
    model: MarginalDistribution,
    num_data: int = 100,
    *,
    num_chains: int = 16,
    num_steps: int = 100,
    num_leapfrog: int = 10,
    start: Start = "prior",
    transition: Transition | None = None,
) -> Sandwich:
    """Simulate data from a model and bound their log-density from both sides; without gradients.

    Args:
        model: As in :func:`annealed_estimate`.
        num_data: How many data are simulated.
        num_chains: Chains for each datum, forward and in reverse; those in reverse share their start.
        num_steps: Steps of the path.
        num_leapfrog: Leapfrog steps of a transition.
        start: As in :func:`annealed_estimate`.
        transition: As in :func:`annealed_estimate`.

    Raises:
        ValueError: as in :func:`annealed_estimate`.

    References:
        Grosse, Ghahramani, Adams (2015). Sandwiching the marginal likelihood using bidirectional Monte Carlo.
        https://arxiv.org/abs/1511.02543

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import ProbabilisticPCA, sandwich
        >>> p = ProbabilisticPCA(torch.zeros(3), torch.ones(3, 2), 0.5)
        >>> _ = torch.manual_seed(0)
        >>> found = sandwich(p.latent_variable(), 50, num_steps=40, num_leapfrog=5)
        >>> exact = p.log_prob(found.x).mean()
        >>> bool(found.lower.value.mean() - 0.05 < exact < found.upper.value.mean() + 0.05), found.gap()[0] < 0.2
        (True, True)
    """
    count, joint = _positive("num_chains", num_chains), model.sample_joint((_positive("num_data", num_data),))
    problem = _problem(model, joint["x"], num_steps, start)
    move = _transition(problem, num_leapfrog) if transition is None else transition
    exact = problem.layout.packed(joint)
    lower = annealed_importance_sampling(problem.path, problem.draws(count), move)
    upper = reverse_annealed_importance_sampling(problem.path, exact.expand(count, *exact.shape), move)
    return Sandwich(lower, upper, joint["x"])


# ---------------------------------------------------------------------------------------------------------------------- helpers


@dataclass(frozen=True)
class _Layout:
    """Several groups of latents, one behind the other in one vector."""

    shapes: Mapping[str, torch.Size]

    def packed(self, latents: Mapping[str, Tensor]) -> Tensor:
        flat = [latents[name].reshape(*_batch(latents[name], shape), shape.numel()) for name, shape in self.shapes.items()]
        return torch.cat(flat, -1)

    def unpacked(self, z: Tensor) -> dict[str, Tensor]:
        parts = z.split([shape.numel() for shape in self.shapes.values()], -1)
        return {
            name: part.reshape(*z.shape[:-1], *shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def _batch(value: Tensor, event: torch.Size) -> torch.Size:
    return value.shape[: value.dim() - len(event)]


@dataclass(frozen=True)
class _Problem:
    """The path from prior or encoder to the joint density of given data."""

    model: MarginalDistribution
    x: Tensor
    layout: _Layout
    path: AnnealingPath
    start: Start

    def draws(self, count: int) -> Tensor:
        """Of the start of the path, ``[count, *batch, dim]``."""
        with torch.no_grad():
            if self.start == "encoder" and isinstance(self.model, LatentVariable):
                return self.layout.packed({"z": drawn(self.model.posterior(self.x), (count,))})
            return self.layout.packed(self.model.sample_joint((count,)))


def _problem(model: MarginalDistribution, x: Tensor, num_steps: int, start: Start) -> _Problem:
    if start not in ("prior", "encoder"):
        raise ValueError(f"`start` must be 'prior' or 'encoder'; got {start!r}.")
    if start == "encoder" and not isinstance(model, LatentVariable):
        raise ValueError(f"`start` must be 'prior' for a {type(model).__name__}; 'encoder' is for a LatentVariable.")
    batch = model._batch_of(x)
    law = model.expand(batch)
    x = x.expand(*batch, *model.event_shape)
    joint = law.sample_joint()
    layout = _Layout({name: value.shape[len(batch) :] for name, value in joint.items() if name != "x"})
    encoder = law.posterior(x) if start == "encoder" else None

    def terms(z: Tensor) -> tuple[Tensor, Tensor]:
        latents = layout.unpacked(z)
        log_joint = law.log_joint(x, latents)
        log_start = law.log_prior(latents) if encoder is None else scored(encoder, latents["z"])
        return log_start, log_joint - log_start

    first = next(iter(joint.values()))
    betas = torch.linspace(0, 1, _positive("num_steps", num_steps) + 1, dtype=torch.float64).to(first)
    return _Problem(law, x, layout, AnnealingPath(terms, betas), start)


def _transition(problem: _Problem, num_leapfrog: int) -> Transition:
    """The Hamiltonian transition, its step sizes found on four chains."""
    return tuned_hamiltonian(problem.path, problem.draws(4), event_dim=1, num_leapfrog=num_leapfrog)


def _positive(name: str, count: int) -> int:
    if count < 1:
        raise ValueError(f"`{name}` must be at least 1; got {count}.")
    return count
