r"""The audit of a sampler on data where the truth is known: its order, the spread and the mean of what it makes.

A sampler with the exact denoiser of Gaussian data is an affine map of its first state and its noise. Fed with unit vectors it
shows the whole map, so the law of its output is known without a single random number. The deterministic ones are compared with
the exact probability flow

.. math:: x_s - \alpha_s m = \sqrt{V_s / V_t}\,(x_t - \alpha_t m), \qquad V_t = \alpha_t^2 v + \sigma_t^2,

or, for mixtures, with its solution by a method of order 8. Data of variance one hide mistakes: their flow stands still. Audit
at other variances.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from probgen.diffusion.flow import probability_flow
from probgen.diffusion.samplers.sampler import Sampler
from probgen.distributions.chains import Denoiser, GaussianDenoiser, MixtureDenoiser, TimeGrid

__all__ = ["AffineLaw", "SamplerAudit", "affine_law", "audit_sampler", "exact_flow"]

Oracle = GaussianDenoiser | MixtureDenoiser


@dataclass(frozen=True)
class AffineLaw:
    """The normal law of what an affine sampler makes.

    Attributes:
        mean: Shape ``[D]``, the event flattened.
        covariance: Shape ``[D, D]``.
        draws: How many times noise was drawn.

    Example:
        >>> import torch
        >>> from probgen.diffusion.audit import AffineLaw
        >>> AffineLaw(torch.zeros(1), torch.full((1, 1), 4.0), 0).std
        tensor([2.])
    """

    mean: Tensor
    covariance: Tensor
    draws: int

    @property
    def std(self) -> Tensor:
        """Standard deviations ``[D]``."""
        return self.covariance.diagonal().sqrt()


@dataclass(frozen=True)
class SamplerAudit:
    """What an audit found, one entry for each number of steps.

    Attributes:
        name: The sampler.
        steps: Numbers of steps.
        evaluations: Calls of the denoiser.
        errors: Largest relative distance from the exact flow, for a sampler without noise; else NaN.
        std_ratios: Standard deviation of the output over the true one, the worst coordinate; NaN where the sampler is not
            affine.
        mean_bias: Distance of the mean from the true one in true standard deviations, the worst coordinate; NaN as above.

    Example:
        >>> import torch
        >>> from probgen.diffusion import audit_sampler
        >>> from probgen.diffusion.samplers import heun
        >>> from probgen.distributions.chains import GaussianDenoiser, variance_preserving_schedule
        >>> oracle = GaussianDenoiser(variance_preserving_schedule(), torch.zeros(1).double(), torch.tensor(0.0625).double())
        >>> audit = audit_sampler(heun, oracle, steps=(64, 128))
        >>> print(audit)
        heun(churn=0.0), observed order 2.0
          steps  evaluations  error     std ratio  mean bias
             64          128  2.91e-03    1.00291   0.00e+00
            128          256  7.14e-04    1.00071   0.00e+00
    """

    name: str
    steps: tuple[int, ...]
    evaluations: tuple[int, ...]
    errors: tuple[float, ...]
    std_ratios: tuple[float, ...]
    mean_bias: tuple[float, ...]

    @property
    def order(self) -> float:
        """The slope of the error between the two largest numbers of steps; NaN with noise or fewer than two numbers."""
        if len(self.steps) < 2:
            return math.nan
        return math.log(self.errors[-2] / self.errors[-1]) / math.log(self.steps[-1] / self.steps[-2])

    def __str__(self) -> str:
        lines = [f"{self.name}, observed order {self.order:.1f}", "  steps  evaluations  error     std ratio  mean bias"]
        rows = zip(self.steps, self.evaluations, self.errors, self.std_ratios, self.mean_bias, strict=True)
        lines += [f"{n:7d}  {e:11d}  {error:8.2e}  {ratio:9.5f}  {bias:9.2e}" for n, e, error, ratio, bias in rows]
        return "\n".join(lines)


def audit_sampler(
    factory: Callable[[Denoiser, TimeGrid], Sampler],
    oracle: Oracle,
    *,
    steps: Sequence[int] = (16, 32, 64, 128, 256),
    grid_of: Callable[[int], TimeGrid] | None = None,
) -> SamplerAudit:
    r"""Compare a sampler with the truth at several numbers of steps.

    Args:
        factory: From a denoiser and a grid to a sampler; ``functools.partial`` gives it settings.
        oracle: An exact denoiser in float64, best of data whose variance is not one.
        steps: Increasing numbers of steps.
        grid_of: From a number of steps to a grid; by default equal steps in log-SNR between t = 1 and t = 0.001, where every
            method shows its order.

    Returns:
        Errors, ratios and biases; ``print`` shows a table.

    Raises:
        ValueError: the numbers of steps do not increase.

    Example:
        >>> import torch
        >>> from functools import partial
        >>> from probgen.diffusion import audit_sampler
        >>> from probgen.diffusion.samplers import ancestral
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1).double(), torch.tensor(0.0625).double())
        >>> audit = audit_sampler(partial(ancestral, last="sample"), oracle, steps=(10, 20), grid_of=TimeGrid(1000).respaced)
        >>> [round(ratio, 6) for ratio in audit.std_ratios]  # the analytic variance
        [1.0, 1.0]
    """
    if list(steps) != sorted(set(steps)):
        raise ValueError(f"`steps` must increase; got {tuple(steps)}.")
    found: list[tuple[int, float, float, float]] = []
    truths: dict[tuple[float, float], tuple[Tensor, Tensor]] = {}
    for number in steps:
        grid = _log_snr_grid(oracle, number) if grid_of is None else grid_of(number)
        sampler = factory(oracle, grid)
        found.append((sampler.evaluations, _flow_error(sampler, oracle, truths), *_moments(sampler, oracle)))
    evaluations, errors, ratios, bias = zip(*found, strict=True)
    return SamplerAudit(sampler.name, tuple(steps), evaluations, errors, ratios, bias)


def affine_law(sampler: Sampler, oracle: Oracle) -> AffineLaw | None:
    """The law of the output of a sampler whose first state is drawn from the true marginal; None if the sampler is not affine.

    Args:
        sampler: The sampler, with the oracle as its denoiser.
        oracle: An exact denoiser of Gaussian data, in float64.

    Example:
        >>> import torch
        >>> from probgen.diffusion.audit import affine_law
        >>> from probgen.diffusion.samplers import ancestral
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.ones(1).double(), torch.tensor(0.25).double())
        >>> law = affine_law(ancestral(oracle, TimeGrid(7), last="sample"), oracle)
        >>> round(float(law.mean), 12), round(float(law.std), 12), law.draws
        (1.0, 0.5, 7)
    """
    event, size = tuple(oracle.event_shape), math.prod(oracle.event_shape)
    draws = _count_draws(sampler, oracle)
    rows = 2 + size * (1 + draws)  # zero, unit vectors of the state and of each draw, and one mixture of all to test by
    units = torch.zeros(rows, size * (1 + draws), dtype=torch.float64)
    units[1:-1] = torch.eye(size * (1 + draws), dtype=torch.float64)
    units[-1] = torch.linspace(-1.0, 2.0, size * (1 + draws), dtype=torch.float64)
    pieces = list(units.reshape(rows, 1 + draws, *event).unbind(1))
    state = pieces.pop(0)

    def noise(like: Tensor) -> Tensor:
        return pieces.pop(0).reshape(like.shape) if like.numel() == rows * size else torch.zeros_like(like)

    output = sampler(state, noise=noise).reshape(rows, size)
    gains = output[1:-1] - output[0]
    predicted = output[0] + units[-1] @ gains
    if not torch.allclose(predicted, output[-1], rtol=1e-7, atol=1e-9):
        return None
    start_mean, start_covariance = _marginal(oracle, _first_time(sampler))
    of_state, of_noise = gains[:size], gains[size:]
    covariance = of_state.mT @ start_covariance @ of_state + of_noise.mT @ of_noise
    return AffineLaw(output[0] + start_mean @ of_state, covariance, draws)


def exact_flow(oracle: Oracle, x: Tensor, t: float, s: float) -> Tensor:
    r"""The probability flow from time t to time s: in closed form for Gaussian data, by a method of order 8 for mixtures.

    Args:
        oracle: The exact denoiser.
        x: States at t, ``[*batch, *event]``.
        t: Where to start, in (0, 1].
        s: Where to end, in (0, 1], or 0 for Gaussian data.

    Example:
        >>> import torch
        >>> from probgen.diffusion.audit import exact_flow
        >>> from probgen.distributions.chains import GaussianDenoiser, variance_exploding_schedule
        >>> oracle = GaussianDenoiser(variance_exploding_schedule(), torch.zeros(1), torch.tensor(0.25))
        >>> round(float(exact_flow(oracle, torch.tensor([50.0]), 1.0, 0.0)), 3)
        0.5
    """
    if _is_mixture(oracle):
        flow = probability_flow(oracle, start=max(t, s), stop=min(t, s), solver="verner8", steps=80)
        return flow.forward(x) if t > s else flow.inverse(x)
    (mean_t, total_t), (mean_s, total_s) = _marginal(oracle, t), _marginal(oracle, s)
    values, vectors = torch.linalg.eigh(total_t)
    stretch = torch.sqrt(torch.einsum("ji,jk,ki->i", vectors, total_s, vectors) / values)  # both are functions of one matrix
    rest = x.double().reshape(-1, len(mean_t)) - mean_t
    moved: Tensor = mean_s + ((rest @ vectors) * stretch) @ vectors.mT
    return moved.reshape(x.shape).to(x)


def _is_mixture(oracle: Oracle) -> bool:
    return isinstance(oracle, MixtureDenoiser) and len(oracle.logits) > 1


def _flow_error(sampler: Sampler, oracle: Oracle, truths: dict[tuple[float, float], tuple[Tensor, Tensor]]) -> float:
    """The largest error in true standard deviations, relative to the largest of these; ``truths`` holds what was worked out."""
    if _count_draws(sampler, oracle):
        return math.nan
    first, last = _first_time(sampler), _last_time(sampler)
    if (first, last) not in truths:
        mean, covariance = _marginal(oracle, first)
        places = torch.linspace(-2.0, 2.0, 5, dtype=torch.float64).unsqueeze(-1) + 0.3
        signs = 1 - 2 * (torch.arange(mean.numel()) % 2)
        x = (mean + places * signs * covariance.diagonal().sqrt()).reshape(5, *oracle.event_shape)
        truths[first, last] = x, exact_flow(oracle, x, first, last)
    x, truth = truths[first, last]
    mean, covariance = _marginal(oracle, last)
    std = covariance.diagonal().sqrt()
    far = ((truth.reshape(5, -1) - mean) / std).abs().max()
    return float(((sampler(x) - truth).reshape(5, -1) / std).abs().max() / far)


def _moments(sampler: Sampler, oracle: Oracle) -> tuple[float, float]:
    if _is_mixture(oracle):
        return math.nan, math.nan
    law = affine_law(sampler, oracle)
    if law is None:
        return math.nan, math.nan
    mean, covariance = _marginal(oracle, _last_time(sampler))
    std = covariance.diagonal().sqrt()
    ratios = law.std / std
    worst = int((ratios.log().abs()).argmax())
    return float(ratios[worst]), float(((law.mean - mean) / std).abs().max())


def _marginal(oracle: Oracle, t: float) -> tuple[Tensor, Tensor]:
    """Mean ``[D]`` and covariance ``[D, D]`` of the true marginal, float64."""
    level = oracle.schedule.level(t)
    alpha, noise = level.alpha, level.sigma.square()
    if isinstance(oracle, GaussianDenoiser):
        mean, covariance = oracle.data_mean.double().flatten(), oracle.data_variance.double().flatten().diag()
    else:
        weights, means = oracle.logits.double().softmax(0), oracle.means.double()
        mean = weights @ means
        rest = means - mean
        covariance = (weights[:, None, None] * (oracle.covariances.double() + rest[:, :, None] * rest[:, None, :])).sum(0)
    return alpha * mean, alpha.square() * covariance + noise * torch.eye(len(mean), dtype=torch.float64)


def _count_draws(sampler: Sampler, oracle: Oracle) -> int:
    """How many draws of the size of an event a run makes."""
    size, drawn = math.prod(oracle.event_shape), []

    def noise(like: Tensor) -> Tensor:
        drawn.append(like.numel() == size)
        return torch.zeros_like(like)

    sampler(torch.zeros(1, *oracle.event_shape, dtype=torch.float64), noise=noise)
    return sum(drawn)


def _log_snr_grid(oracle: Oracle, steps: int) -> TimeGrid:
    return TimeGrid.log_snr(oracle.schedule, steps, stop=1e-3, start=1.0, end_at_data=False)


def _first_time(sampler: Sampler) -> float:
    return float(sampler.grid.times[0 if sampler.from_data else -1])


def _last_time(sampler: Sampler) -> float:
    return float(sampler.grid.times[-1 if sampler.from_data else 0])
