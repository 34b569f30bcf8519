r"""Inversion of a generator: which noise explains an observation, as a posterior with all its modes.

``find_modes`` climbs to the modes. *Draws* come from annealed importance sampling: Hamiltonian moves lead draws of the noise
to the posterior, through :math:`p_0(z)\, p(y \mid z)^{\beta}` with :math:`\beta_t = (t/T)^4`,

.. math:: \log w = \sum_{t=1}^T (\beta_t - \beta_{t-1}) \log p(y \mid z_{t-1}), \qquad \mathbb E[w] = p(y) .

The weights make the draws those of the posterior, modes in the right proportion, and the logarithm of their mean is a lower
bound of the evidence :math:`\log p(y)` in expectation.

References:
    Bora, Jalal, Price, Dimakis (2017). Compressed sensing using generative models. https://arxiv.org/abs/1703.03208
    Neal (2001). Annealed importance sampling. https://arxiv.org/abs/physics/9803008
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.distributions.estimate import Estimate
from probgen.distributions.implicit import ImplicitDistribution, WeightedDraws
from probgen.distributions.latent import AnnealingPath, tuned_hamiltonian
from probgen.gan.inverse_problem import InverseProblem
from probgen.gan.modes import Modes, find_modes

__all__ = ["Inversion", "annealed_posterior", "invert"]


@dataclass(frozen=True)
class Inversion:
    """Modes and draws of the posterior of an inverse problem.

    Attributes:
        problem: What was inverted.
        modes: Where restarts ended, the best first.
        draws: Weighted draws of the posterior of the noise; ``draws.resampled(n)`` makes them equal.

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
    draws: WeightedDraws

    @property
    def log_evidence(self) -> Estimate:
        r""":math:`\log p(y)` in nats, ``[*batch]``, of kind "lower"."""
        return self.draws.log_normalizer

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
            return self.problem.law.generate(self.draws.resampled(count))


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
) -> WeightedDraws:
    r"""Draw from the posterior of the noise by annealed importance sampling; without gradients.

    Its ``effective_sample_size`` says what the draws are worth, and its ``log_normalizer`` estimates :math:`\log p(y)` from
    below.

    Args:
        problem: The inverse problem.
        y: Observations ``[*batch, *observed]``.
        num_chains: Independent chains for every observation.
        num_steps: Temperatures between noise and posterior.
        num_leapfrog: Leapfrog steps of a move, each of one gradient of the generator.
        num_moves: Moves at the end, which leave the posterior invariant.

    Returns:
        Noise ``[num_chains, *batch, *base_event]`` with log-weights ``[num_chains, *batch]``.

    Raises:
        ValueError: a number is not positive.

    References:
        Neal (2001). Annealed importance sampling. https://arxiv.org/abs/physics/9803008

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> from probgen.gan import InverseProblem, annealed_posterior
        >>> _ = torch.manual_seed(0)
        >>> law = ImplicitDistribution(standard_normal(1), lambda z: 2 * z, (1,))
        >>> draws = annealed_posterior(InverseProblem(law, noise=1.0), torch.tensor([5.0]), num_chains=500, num_steps=40)
        >>> bool((draws.expectation(lambda z: z)[0] - 2.0).abs() < 0.1), bool((draws.log_normalizer.value + 4.224).abs() < 0.1)
        (True, True)
    """
    if min(num_chains, num_steps, num_leapfrog) < 1 or num_moves < 0:
        raise ValueError(
            "`num_chains`, `num_steps` and `num_leapfrog` must be positive and `num_moves` not negative; "
            f"got {num_chains}, {num_steps}, {num_leapfrog} and {num_moves}."
        )
    z, rank = problem.prior_draws(num_chains, y), len(problem.law.base_dist.event_shape)
    betas = torch.linspace(0, 1, num_steps + 1, dtype=torch.float64).pow(4).to(z)
    path = AnnealingPath(lambda at: (problem.log_prior(at), problem.log_likelihood(at, y)), betas)
    with torch.no_grad():
        move = tuned_hamiltonian(path, problem.prior_draws(8, y), event_dim=rank, num_leapfrog=num_leapfrog)
        log_weights = torch.zeros_like(problem.log_prior(z))
        for step in range(1, num_steps + 1):
            log_weights = log_weights + (betas[step] - betas[step - 1]) * problem.log_likelihood(z, y)
            for _ in range(1 if step < num_steps else num_moves):
                z = move(z, path.at(step))
        return WeightedDraws(z, log_weights)
