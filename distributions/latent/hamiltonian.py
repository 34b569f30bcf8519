r"""Hamiltonian Monte Carlo for a batch of chains: a transition that leaves any smooth density invariant.

With a momentum :math:`p \sim \mathcal N(0, I)`, drawn afresh, L leapfrog steps of size :math:`\epsilon` follow the dynamics of
:math:`H(z, p) = -\log f(z) + \tfrac12 |p|^2`,

.. math::

    p \leftarrow p + \tfrac\epsilon2 \nabla \log f(z), \qquad z \leftarrow z + \epsilon p, \qquad
    p \leftarrow p + \tfrac\epsilon2 \nabla \log f(z),

which preserve volume and are reversible, so that accepting the end with probability
:math:`\min(1, e^{H(z, p) - H(z', p')})` leaves :math:`f` invariant. Every chain accepts for itself and nothing is read from the
device.

References:
    Neal (2011). MCMC using Hamiltonian dynamics. https://arxiv.org/abs/1206.1901
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions.events import over_event
from probgen.distributions.latent.annealing import AnnealingPath, TemperedDensity
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["HamiltonianMove", "HamiltonianTransition", "hamiltonian_move", "tuned_hamiltonian"]

FURTHEST = 1e6  # a coordinate beyond has diverged


class HamiltonianMove(NamedTuple):
    """One transition of a batch of chains.

    Attributes:
        z: The new states ``[n, *batch, *event]``.
        acceptance: Probability with which each proposal was accepted, ``[n, *batch]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import HamiltonianMove
        >>> HamiltonianMove(torch.zeros(5, 2), torch.ones(5)).acceptance.shape
        torch.Size([5])
    """

    z: Tensor
    acceptance: Tensor


@dataclass(frozen=True)
class HamiltonianTransition:
    """Hamiltonian Monte Carlo with step sizes that are fixed beforehand, one for every step of a path and every target.

    Attributes:
        step_sizes: Shape ``[T + 1, *batch]``, indexed by the step of the path, or a scalar.
        event_dim: Number of event dimensions of a state.
        num_leapfrog: How many leapfrog steps a transition takes; each costs one gradient.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import HamiltonianTransition, geometric_path
        >>> path = geometric_path(dist.Normal(0.0, 1.0), dist.Normal(2.0, 0.5).log_prob, 10)
        >>> move = HamiltonianTransition(torch.tensor(0.5), event_dim=0)
        >>> move(torch.zeros(1000), path.at(10)).shape
        torch.Size([1000])
    """

    step_sizes: Tensor
    event_dim: int
    num_leapfrog: int = 10

    def __call__(self, z: Tensor, density: TemperedDensity) -> Tensor:
        """New states from states ``[n, *batch, *event]``."""
        size = self.step_sizes[density.index] if self.step_sizes.dim() else self.step_sizes
        return hamiltonian_move(z, density.log_prob, size, event_dim=self.event_dim, num_leapfrog=self.num_leapfrog).z


def hamiltonian_move(
    z: Tensor, log_density: Callable[[Tensor], Tensor], step_size: Tensor, *, event_dim: int, num_leapfrog: int = 10
) -> HamiltonianMove:
    """Move every chain once.

    Args:
        z: States ``[n, *batch, *event]``.
        log_density: From states to unnormalized log-densities ``[n, *batch]``, differentiable.
        step_size: Shape ``[*batch]`` or scalar.
        event_dim: Number of event dimensions.
        num_leapfrog: How many leapfrog steps.

    Raises:
        ValueError: ``num_leapfrog`` is not positive.

    References:
        Neal (2011). MCMC using Hamiltonian dynamics. https://arxiv.org/abs/1206.1901

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.latent import hamiltonian_move
        >>> move = hamiltonian_move(torch.zeros(5, 2), standard_normal(2).log_prob, torch.tensor(1e-3), event_dim=1)
        >>> move.z.shape, bool((move.acceptance > 0.999).all())  # small steps keep the energy
        (torch.Size([5, 2]), True)
    """
    if num_leapfrog < 1:
        raise ValueError(f"`num_leapfrog` must be at least 1; got {num_leapfrog}.")
    size = over_event(step_size, event_dim, like=z)
    before, gradient = _value_and_gradient(log_density, z)
    start = torch.randn_like(z)
    momentum, proposal = start + 0.5 * size * gradient, z
    sound, after = torch.ones_like(before, dtype=torch.bool), before
    for step in range(1, num_leapfrog + 1):
        proposal, inside = _kept_inside(proposal + size * momentum, event_dim)
        sound = sound & inside
        after, gradient = _value_and_gradient(log_density, proposal)
        momentum = momentum + (1.0 if step < num_leapfrog else 0.5) * size * gradient
    kinetic = sum_rightmost(start.square() - momentum.square(), event_dim) / 2
    gain = torch.where(sound, after - before + kinetic, -torch.inf)  # a NaN energy compares as not accepted
    accepted = torch.rand_like(before).log() < gain
    chosen = torch.where(over_event(accepted, event_dim, like=accepted), proposal, z)
    return HamiltonianMove(chosen, torch.nan_to_num(gain, nan=-torch.inf).clamp(max=0.0).exp())


def tuned_hamiltonian(
    path: AnnealingPath,
    draws: Tensor,
    *,
    event_dim: int,
    num_leapfrog: int = 10,
    first_size: float = 0.1,
    target: float = 0.8,
    rate: float = 0.5,
) -> HamiltonianTransition:
    r"""Find step sizes along a path, on chains that are then thrown away.

    At every temperature one move is made (at the first, ten) and :math:`\log \epsilon` is raised or lowered by the rate times
    the excess of the mean acceptance over the target. The sizes that were found are constants for the chains that count, whose
    weights therefore stay unbiased.

    Args:
        path: The path.
        draws: Draws ``[n, *batch, *event]`` of its start, others than those that are annealed later.
        event_dim: Number of event dimensions.
        num_leapfrog: How many leapfrog steps a transition takes.
        first_size: Where the search begins.
        target: Wanted mean probability of acceptance.
        rate: How fast the size follows.

    Raises:
        ValueError: the target is no probability between 0 and 1, or another number is not positive.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import geometric_path, tuned_hamiltonian
        >>> start = dist.Normal(0.0, 1.0)
        >>> path = geometric_path(start, dist.Normal(0.0, 0.01).log_prob, 100)
        >>> _ = torch.manual_seed(0)
        >>> sizes = tuned_hamiltonian(path, start.sample((50,)), event_dim=0).step_sizes
        >>> sizes.shape, bool(sizes[100] < sizes[1] / 3)  # the target is narrower
        (torch.Size([101]), True)
    """
    if not 0 < target < 1 or not first_size > 0 or not rate > 0:
        raise ValueError(
            f"`target` must lie between 0 and 1, `first_size` and `rate` above 0; got {target}, {first_size} and {rate}."
        )
    z, batch = draws, draws.shape[1 : draws.dim() - event_dim]
    log_size = torch.full(batch, first_size, dtype=draws.dtype, device=draws.device).log()
    found = [log_size]
    with torch.no_grad():
        for index in [1] * 10 + list(range(2, path.num_steps + 1)):
            move = hamiltonian_move(z, path.at(index).log_prob, log_size.exp(), event_dim=event_dim, num_leapfrog=num_leapfrog)
            z, log_size = move.z, log_size + rate * (move.acceptance.mean(0) - target)
            found = [*found[:index], log_size]
    return HamiltonianTransition(torch.stack(found).exp(), event_dim, num_leapfrog)


def _value_and_gradient(log_density: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        value = log_density(at)
        (gradient,) = torch.autograd.grad(value.sum() + 0 * at.sum(), at)  # also where there is nothing to score
    return value.detach(), gradient


def _kept_inside(z: Tensor, event_dim: int) -> tuple[Tensor, Tensor]:
    """States with coordinates that have diverged set to zero, and which states had none; a law would refuse NaN."""
    sound = z.abs() < FURTHEST
    return torch.where(sound, z, torch.zeros_like(z)), sum_rightmost((~sound).to(z.dtype), event_dim) == 0
