r"""Annealed importance sampling: bounds of a normalizing constant from below and, given exact draws, from above.

A path leads from a normalized law :math:`f_0` that can be sampled to an unnormalized one, :math:`f`, whose constant
:math:`Z = \int f` is wanted (a joint density :math:`p(x, z)` at given x has the constant :math:`p(x)`):

.. math::

    \log f_\beta(z) = \log f_0(z) + \beta\, r(z), \qquad r = \log f - \log f_0, \qquad 0 = \beta_0 < \dots < \beta_T = 1 .

*Forward*: draw :math:`z_0 \sim f_0`, and move by transitions that leave :math:`f_{\beta_1}, \dots, f_{\beta_{T-1}}` invariant
in turn. *Reverse*: begin with an exact draw of :math:`f / Z` and move through the same laws backward. Either way

.. math::

    \log w = \sum_{t=1}^T (\beta_t - \beta_{t-1})\, r(z_{t-1}), \qquad
    \mathbb E_{\text{forward}}[w] = Z, \qquad \mathbb E_{\text{reverse}}[1 / w] = 1 / Z,

so that, by Jensen's inequality, the log mean weight is a lower bound of :math:`\log Z` forward and, from reciprocals, an upper
bound in reverse, however badly the transitions mix. The invariance of the transitions is all that is needed; they must not
look at the chain to tune themselves, which :func:`~probgen.distributions.latent.tuned_hamiltonian` does beforehand.

References:
    Neal (2001). Annealed importance sampling. https://arxiv.org/abs/physics/9803008
    Grosse, Ghahramani, Adams (2015). Sandwiching the marginal likelihood using bidirectional Monte Carlo.
    https://arxiv.org/abs/1511.02543
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.estimate import Estimate, log_mean_exp_estimate
from probgen.distributions.events import scored

__all__ = [
    "AnnealingPath",
    "TemperedDensity",
    "annealed_importance_sampling",
    "geometric_path",
    "reverse_annealed_importance_sampling",
    "sigmoid_temperatures",
]


@dataclass(frozen=True)
class AnnealingPath:
    r"""The laws between a start and a target.

    Attributes:
        terms: From states ``[n, *batch, *event]`` to :math:`\log f_0(z)` and :math:`r(z) = \log f(z) - \log f_0(z)`, both
            ``[n, *batch]``.
        temperatures: :math:`\beta_0 = 0 < \dots < \beta_T = 1`, shape ``[T + 1]``.

    Raises:
        ValueError: there are fewer than two temperatures, or they are no row.

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import AnnealingPath
        >>> path = AnnealingPath(lambda z: (-0.5 * z.square(), -0.5 * (z - 1).square()), torch.linspace(0, 1, 5))
        >>> path.num_steps, path.at(2).log_prob(torch.tensor(1.0))
        (4, tensor(-0.5000))
    """

    terms: Callable[[Tensor], tuple[Tensor, Tensor]]
    temperatures: Tensor

    def __post_init__(self) -> None:
        """Check what can be checked without reading the temperatures."""
        if self.temperatures.dim() != 1 or len(self.temperatures) < 2:
            raise ValueError(
                f"`temperatures` must be a row of two numbers or more; got shape {tuple(self.temperatures.shape)}."
            )

    @property
    def num_steps(self) -> int:
        """The number T of steps."""
        return len(self.temperatures) - 1

    def at(self, index: int) -> TemperedDensity:
        """The law at a step of the path, 0 for the start and T for the target."""
        return TemperedDensity(self.terms, self.temperatures[index], index)


@dataclass(frozen=True)
class TemperedDensity:
    r"""One law of a path, :math:`\log f_\beta = \log f_0 + \beta\, r`; what a transition has to leave invariant.

    Attributes:
        terms: As in ``AnnealingPath``.
        temperature: :math:`\beta`, a scalar.
        index: Which step of the path it is.

    Example:
        >>> import torch
        >>> from probgen.distributions.latent import TemperedDensity
        >>> half = TemperedDensity(lambda z: (-z, 4 * z), torch.tensor(0.5), 1)
        >>> half.log_prob(torch.tensor(3.0))
        tensor(3.)
    """

    terms: Callable[[Tensor], tuple[Tensor, Tensor]]
    temperature: Tensor
    index: int

    def log_prob(self, z: Tensor) -> Tensor:
        """The unnormalized log-density of states ``[n, *batch, *event]``, in nats."""
        log_start, log_ratio = self.terms(z)
        return log_start + self.temperature.to(log_ratio) * log_ratio


Transition = Callable[[Tensor, TemperedDensity], Tensor]


def geometric_path(
    start: TorchDistribution, log_target: Callable[[Tensor], Tensor], temperatures: Tensor | int = 100
) -> AnnealingPath:
    r"""The path :math:`f_0^{1 - \beta} f^\beta` from a law to an unnormalized density.

    Args:
        start: A normalized law.
        log_target: From states to the logarithm of the target, ``[n, *batch]``.
        temperatures: As in ``AnnealingPath``, or a number of equal steps.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions.latent import annealed_importance_sampling, geometric_path
        >>> start = dist.Normal(0.0, 1.0)
        >>> path = geometric_path(start, lambda z: start.log_prob(z) + dist.Normal(z, 1.0).log_prob(torch.tensor(1.0)))
        >>> def exact(z, density):  # the laws of this path are normal: draw them outright
        ...     b = density.temperature
        ...     return dist.Normal(b / (1 + b), (1 + b) ** -0.5).sample(z.shape)
        >>> _ = torch.manual_seed(0)
        >>> estimate = annealed_importance_sampling(path, start.sample((4000,)), exact)
        >>> round(estimate.value.item(), 2), estimate.kind  # the exact value is -1.5155
        (-1.52, 'lower')
    """

    def terms(z: Tensor) -> tuple[Tensor, Tensor]:
        log_start = scored(start, z)
        return log_start, log_target(z) - log_start

    betas = torch.linspace(0, 1, temperatures + 1, dtype=torch.float64) if isinstance(temperatures, int) else temperatures
    return AnnealingPath(terms, betas)


def sigmoid_temperatures(num_steps: int, steepness: float = 4.0) -> Tensor:
    r"""Temperatures that crowd at both ends, :math:`\beta_t \propto \sigma\bigl(\delta (2t/T - 1)\bigr) - \sigma(-\delta)`.

    Args:
        num_steps: The number T of steps.
        steepness: :math:`\delta`.

    Returns:
        Shape ``[T + 1]``, in float64.

    Raises:
        ValueError: there is no step, or the steepness is not positive.

    References:
        Wu, Burda, Salakhutdinov, Grosse (2017). On the quantitative analysis of decoder-based generative models.
        https://arxiv.org/abs/1611.04273

    Example:
        >>> from probgen.distributions.latent import sigmoid_temperatures
        >>> sigmoid_temperatures(4)
        tensor([0.0000, 0.1050, 0.5000, 0.8950, 1.0000], dtype=torch.float64)
    """
    if num_steps < 1 or not steepness > 0:
        raise ValueError(f"`num_steps` must be at least 1 and `steepness` positive; got {num_steps} and {steepness}.")
    raw = torch.sigmoid(steepness * torch.linspace(-1, 1, num_steps + 1, dtype=torch.float64))
    return (raw - raw[0]) / (raw[-1] - raw[0])


def annealed_importance_sampling(path: AnnealingPath, draws: Tensor, transition: Transition) -> Estimate:
    """Estimate a normalizing constant from below.

    Args:
        path: From the law of the draws to the target.
        draws: Independent draws ``[n, *batch, *event]`` of the start of the path: n chains for each of a batch of targets.
        transition: From states and a ``TemperedDensity`` to new states, leaving that density invariant.

    Returns:
        The log mean weight in nats, ``[*batch]``, of kind "lower", with its standard error.

    Raises:
        ValueError: there are no chains.

    References:
        Neal (2001). Annealed importance sampling. https://arxiv.org/abs/physics/9803008

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import annealed_importance_sampling, geometric_path
        >>> start = dist.Normal(0.0, 1.0)
        >>> path = geometric_path(start, lambda z: start.log_prob(z) + 3.0, 4)  # the constant is e^3
        >>> annealed_importance_sampling(path, start.sample((5,)), lambda z, density: z)
        Estimate(>= 3.0000 ± 0.0000 nats)
    """
    with torch.no_grad():
        return log_mean_exp_estimate(_log_weights(path, draws, transition, range(1, path.num_steps + 1), ahead=0))


def reverse_annealed_importance_sampling(path: AnnealingPath, draws: Tensor, transition: Transition) -> Estimate:
    """Estimate a normalizing constant from above, from exact draws of the target.

    Such draws are at hand where data were simulated from the model: the latents that made them. Several chains may begin at one
    draw; each by itself obeys the bound, but then the standard error does not see the spread of the draw that they share.

    Args:
        path: From a law to the target.
        draws: Exact draws ``[n, *batch, *event]`` of the target.
        transition: As in :func:`annealed_importance_sampling`.

    Returns:
        The negative log mean reciprocal weight in nats, ``[*batch]``, of kind "upper", with its standard error.

    Raises:
        ValueError: there are no chains.

    References:
        Grosse, Ghahramani, Adams (2015). Sandwiching the marginal likelihood using bidirectional Monte Carlo.
        https://arxiv.org/abs/1511.02543

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.latent import geometric_path, reverse_annealed_importance_sampling
        >>> start = dist.Normal(0.0, 1.0)
        >>> path = geometric_path(start, lambda z: start.log_prob(z) + 3.0, 4)  # the constant is e^3
        >>> reverse_annealed_importance_sampling(path, start.sample((5,)), lambda z, density: z)
        Estimate(<= 3.0000 ± 0.0000 nats)
    """
    with torch.no_grad():
        log_weights = _log_weights(path, draws, transition, range(path.num_steps, 0, -1), ahead=-1)
        reciprocal = log_mean_exp_estimate(-log_weights)
        return Estimate(-reciprocal.value, reciprocal.stderr, "upper")


def _log_weights(path: AnnealingPath, z: Tensor, transition: Transition, steps: Iterable[int], *, ahead: int) -> Tensor:
    """Sum the increments of the steps; between them, move at the temperature that two steps share."""
    order = list(steps)
    total = torch.zeros(())
    for index in order:
        log_ratio = path.terms(z)[1]
        weight = (path.temperatures[index] - path.temperatures[index - 1]).to(log_ratio)
        total = total + weight * log_ratio
        if index != order[-1]:
            z = transition(z, path.at(index + ahead))
    return total
