r"""Inversion of a generator: which noise explains an observation, as a posterior with all its modes.

``find_modes`` climbs to the modes. *Draws* come from annealing: particles move from the noise's law to the posterior through
:math:`p_0(z)\, p(y \mid z)^{\beta}`, :math:`\beta_t = (t/T)^4`, by Hamiltonian moves that leave each of these laws invariant,
and gather weights,

.. math:: w \leftarrow w\, p(y \mid z)^{\beta_t - \beta_{t-1}} .

Where fewer than half of the particles count, they are resampled. The weights make the draws those of the posterior, modes in
the right proportion. Whenever resampling happens, the estimate of the evidence :math:`p(y)`, the product of mean weights, is
unbiased: its logarithm is a lower bound in expectation. Its standard error adds up the errors between resamplings, as is
right for moves that forget where they came from.

References:
    Bora, Jalal, Price, Dimakis (2017). Compressed sensing using generative models. https://arxiv.org/abs/1703.03208
    Del Moral, Doucet, Jasra (2006). Sequential Monte Carlo samplers. https://doi.org/10.1111/j.1467-9868.2006.00553.x
    Neal (2001). Annealed importance sampling. https://arxiv.org/abs/physics/9803008
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions.estimate import Estimate, log_mean_exp_estimate
from probgen.distributions.implicit import ImplicitDistribution, WeightedDraws
from probgen.distributions.implicit.weighted import taken
from probgen.distributions.latent import AnnealingPath, tuned_hamiltonian
from probgen.distributions.numerics.resampling import effective_sample_size, systematic_ancestors
from probgen.gan.inverse_problem import InverseProblem
from probgen.gan.modes import Modes, find_modes

__all__ = ["Inversion", "PosteriorDraws", "annealed_posterior", "invert"]


class PosteriorDraws(NamedTuple):
    r"""Draws of a posterior, and the evidence that they found on the way.

    Attributes:
        draws: Weighted draws of the noise; ``draws.resampled(n)`` makes them equal.
        log_evidence: :math:`\log p(y)` in nats, ``[*batch]``, of kind "lower".

    Example:
        >>> import torch
        >>> from probgen.distributions import Estimate
        >>> from probgen.distributions.implicit import WeightedDraws
        >>> from probgen.gan import PosteriorDraws
        >>> draws = WeightedDraws(torch.zeros(4, 1), torch.zeros(4))
        >>> PosteriorDraws(draws, Estimate(torch.tensor(-1.0), torch.tensor(0.1), "lower")).draws.efficiency
        tensor(1.)
    """

    draws: WeightedDraws
    log_evidence: Estimate


@dataclass(frozen=True)
class Inversion:
    """Modes and draws of the posterior of an inverse problem.

    Attributes:
        problem: What was inverted.
        modes: Where restarts ended, the best first.
        posterior: Weighted draws of the noise, and the evidence.

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import invert
        >>> _ = torch.manual_seed(0)
        >>> law = ImplicitDistribution(standard_normal(1), lambda z: z.abs(), (1,))
        >>> found = invert(law, torch.tensor([1.0]), noise=0.1, num_steps=40)  # both 1 and -1 explain it
        >>> found.restored().round(decimals=2), sorted(found.modes.distinct().z.flatten().sign().tolist())
        (tensor([0.9900]), [-1.0, 1.0])
    """

    problem: InverseProblem
    modes: Modes
    posterior: PosteriorDraws

    def restored(self) -> Tensor:
        """The event that the best mode makes, ``[*batch, *event]``, without gradients."""
        with torch.no_grad():
            return self.problem.law.generate(self.modes.z[0])

    def sample(self, count: int) -> Tensor:
        """Events drawn from the posterior, ``[count, *batch, *event]``, without gradients.

        Args:
            count: How many.
        """
        with torch.no_grad():
            return self.problem.law.generate(self.posterior.draws.resampled(count))


def invert(
    law: ImplicitDistribution,
    y: Tensor,
    operator: Callable[[Tensor], Tensor] | None = None,
    *,
    noise: float,
    observed_shape: Sequence[int] | None = None,
    num_restarts: int = 16,
    num_chains: int = 64,
    num_steps: int = 100,
) -> Inversion:
    r"""Find the noise behind observations: modes of the posterior, and draws of it with the evidence.

    Args:
        law: The generator's law.
        y: Observations ``[*batch, *observed]``.
        operator: What was done to the data before they were seen, from ``[n, *event]`` to ``[n, *observed]``; nothing by
            default.
        noise: Standard deviation of what was added to the observations.
        observed_shape: Shape of an observation; by default that of an event.
        num_restarts: Restarts of the search for modes.
        num_chains: Draws of the posterior.
        num_steps: Temperatures on the way to it, each of several gradients of the generator.

    References:
        Bora, Jalal, Price, Dimakis (2017). Compressed sensing using generative models. https://arxiv.org/abs/1703.03208

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import invert
        >>> _ = torch.manual_seed(0)
        >>> law = ImplicitDistribution(standard_normal(1), lambda z: torch.cat([z, 2 * z], -1), (2,))
        >>> found = invert(law, torch.tensor([1.0]), lambda x: x[:, :1], noise=1.0, observed_shape=(1,), num_steps=10)
        >>> found.restored().round(decimals=3)  # z given y is N(1/2, 1/2)
        tensor([0.5000, 1.0000])
    """
    problem = InverseProblem(law, operator, noise=noise, observed_shape=observed_shape)
    modes = find_modes(problem, y, num_restarts=num_restarts)
    return Inversion(problem, modes, annealed_posterior(problem, y, num_chains=num_chains, num_steps=num_steps))


def annealed_posterior(
    problem: InverseProblem,
    y: Tensor,
    *,
    num_chains: int = 64,
    num_steps: int = 100,
    num_leapfrog: int = 5,
    num_moves: int = 5,
) -> PosteriorDraws:
    r"""Draw from the posterior of the noise by annealing with resampling; without gradients.

    Args:
        problem: The inverse problem.
        y: Observations ``[*batch, *observed]``.
        num_chains: Particles for every observation.
        num_steps: Temperatures between noise and posterior; the less noise the observations have, the more are needed.
        num_leapfrog: Leapfrog steps of a move, each of one gradient of the generator.
        num_moves: Moves at the end, which leave the posterior invariant.

    Returns:
        Noise ``[num_chains, *batch, *base_event]`` with log-weights ``[num_chains, *batch]``, and the evidence ``[*batch]``.

    Raises:
        ValueError: a number is not positive.

    References:
        Del Moral, Doucet, Jasra (2006). Sequential Monte Carlo samplers. https://doi.org/10.1111/j.1467-9868.2006.00553.x

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import InverseProblem, annealed_posterior
        >>> _ = torch.manual_seed(0)
        >>> law = ImplicitDistribution(standard_normal(1), lambda z: 2 * z, (1,))
        >>> found = annealed_posterior(InverseProblem(law, noise=1.0), torch.tensor([5.0]), num_chains=500, num_steps=30)
        >>> mean, _ = found.draws.expectation(lambda z: z)  # 2, and the evidence log N(5; 0, 5)
        >>> bool((mean - 2.0).abs() < 0.1), bool((found.log_evidence.value + 4.224).abs() < 0.2)
        (True, True)
    """
    if min(num_chains, num_steps, num_leapfrog) < 1 or num_moves < 0:
        raise ValueError(
            "`num_chains`, `num_steps` and `num_leapfrog` must be positive and `num_moves` not negative; "
            f"got {num_chains}, {num_steps}, {num_leapfrog} and {num_moves}."
        )
    if torch.is_inference_mode_enabled():  # nothing made in it can be differentiated
        with torch.inference_mode(mode=False):
            kept = {"num_steps": num_steps, "num_leapfrog": num_leapfrog, "num_moves": num_moves}
            return annealed_posterior(problem, y.clone(), num_chains=num_chains, **kept)
    z, rank = problem.prior_draws(num_chains, y), len(problem.law.base_dist.event_shape)
    betas = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64).pow(4).to(z)
    path = AnnealingPath(lambda at: (problem.log_prior(at), problem.log_likelihood(at, y)), betas)
    with torch.no_grad():
        move = tuned_hamiltonian(path, problem.prior_draws(16, y), event_dim=rank, num_leapfrog=num_leapfrog)
        log_weights = torch.zeros_like(problem.log_prior(z))
        evidence, variance = torch.zeros_like(log_weights[0]), torch.zeros_like(log_weights[0])
        for step in range(1, num_steps + 1):
            log_weights = log_weights + (betas[step] - betas[step - 1]) * problem.log_likelihood(z, y)
            if step < num_steps:
                z, log_weights, evidence, variance = _resampled_where_poor(z, log_weights, evidence, variance)
            for _ in range(1 if step < num_steps else num_moves):
                z = move(z, path.at(step))
    last = log_mean_exp_estimate(log_weights)
    total = Estimate(evidence + last.value, (variance + last.stderr.square()).sqrt(), "lower")
    return PosteriorDraws(WeightedDraws(z, log_weights), total)


def _resampled_where_poor(
    z: Tensor, log_weights: Tensor, evidence: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Resample the particles of the observations for which fewer than half count; their mean weight goes to the evidence."""
    count = len(log_weights)
    poor = effective_sample_size(log_weights) < 0.5 * count
    mean = log_mean_exp_estimate(log_weights)
    keep = torch.arange(count, device=z.device).reshape(count, *(1,) * poor.dim())
    ancestors = torch.where(poor, systematic_ancestors(log_weights), keep)
    return (
        taken(z, ancestors),
        torch.where(poor, 0.0, log_weights),
        torch.where(poor, evidence + mean.value, evidence),
        torch.where(poor, variance + mean.stderr.square(), variance),
    )
