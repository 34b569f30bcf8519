r"""Euler's and Heun's methods on the probability flow, in the variables in which it is straight near the data, with churn.

With :math:`\bar x = x / \alpha` and the noise-to-signal ratio :math:`\rho = \sigma / \alpha` the probability flow of every
Gaussian process reads

.. math:: \frac{\mathrm d\bar x}{\mathrm d\rho} = \hat\varepsilon(x_t) .

Euler's method on it is DDIM. Heun's method averages the slopes at both ends and needs two evaluations, except where a step is
Euler's: the last one to the data, where the slope at :math:`\rho = 0` would divide zero by zero, and a long one out of pure
noise (from :math:`\rho > 200` to less than half of it, or from :math:`\rho = \infty`), where the average would overshoot.
*Churn* first raises the noise of the state to :math:`\hat\rho = (1 + \gamma)\rho` by adding fresh noise. See
``docs/derivations/diffusion-sde.md``.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.diffusion.samplers.ddim_family import implicit_coefficients
from probgen.diffusion.samplers.levels import Levels, level_at_log_snr, mean_coefficients_of, separate
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import LinearStep, Run, State, Step, StepSequence, weighted_sum
from probgen.distributions.chains import Denoiser, NoiseLevel, TimeGrid

__all__ = ["HeunStep", "euler", "heun", "heun_steps"]

_PURE_NOISE = 200.0


def euler(
    denoiser: Denoiser,
    grid: TimeGrid,
    *,
    churn: float = 0.0,
    churn_range: tuple[float, float] = (0.0, math.inf),
    churn_noise: float = 1.0,
) -> Sampler:
    r"""Euler's method on the probability flow; without churn it is DDIM.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit.
        churn: Amount of fresh noise over the whole run; :math:`\gamma = \min(\mathrm{churn} / N, \sqrt 2 - 1)` in each step.
        churn_range: Between which noise-to-signal ratios noise is added.
        churn_noise: Standard deviation of the fresh noise, relative to the right one.

    Raises:
        ValueError: negative churn.

    References:
        Karras, Aittala, Aila, Laine (2022). Elucidating the design space of diffusion-based generative models.
        https://arxiv.org/abs/2206.00364

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ddim, euler
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle, x = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(0.25)), torch.ones(1, 2)
        >>> torch.equal(euler(oracle, TimeGrid(5))(x), ddim(oracle, TimeGrid(5))(x))
        True
    """
    _check_churn(churn)
    settings = partial(_edm_steps, order=1, churn=churn, churn_range=churn_range, churn_noise=churn_noise)
    return Sampler(f"euler(churn={churn})", denoiser, grid, settings)


def heun(
    denoiser: Denoiser,
    grid: TimeGrid,
    *,
    churn: float = 0.0,
    churn_range: tuple[float, float] = (0.0, math.inf),
    churn_noise: float = 1.0,
) -> Sampler:
    r"""Heun's method on the probability flow: second order, two evaluations a step (one in the last step to the data).

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit; ``TimeGrid.rho`` is that of the paper.
        churn: As of :func:`euler`.
        churn_range: As of :func:`euler`.
        churn_noise: As of :func:`euler`.

    Raises:
        ValueError: negative churn.

    References:
        Karras, Aittala, Aila, Laine (2022). Elucidating the design space of diffusion-based generative models.
        https://arxiv.org/abs/2206.00364

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import heun
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, edm_schedule
        >>> oracle = GaussianDenoiser(edm_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> sampler = heun(oracle, TimeGrid.rho(oracle.schedule, 18))
        >>> sampler.evaluations, round(float(sampler(80.0 * torch.ones(2))[0]), 2)  # the flow takes 80 to 0.50
        (35, 0.53)
    """
    _check_churn(churn)
    settings = partial(_edm_steps, order=2, churn=churn, churn_range=churn_range, churn_noise=churn_noise)
    return Sampler(f"heun(churn={churn})", denoiser, grid, settings)


class HeunStep(NamedTuple):
    r"""Euler's step to :math:`x'`, then :math:`x_s = c_x x_t + c' x' + c_F F(x')`: Heun's average with all slopes folded in.

    Attributes:
        euler: Euler's step, with its evaluation.
        level: The level at its end.
        start: The number :math:`c_x`.
        end: The number :math:`c'`.
        out: The number :math:`c_F`.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import heun
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, edm_schedule
        >>> oracle = GaussianDenoiser(edm_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> [step.evaluations for step in heun(oracle, TimeGrid(3)).steps]
        [2, 2, 1]
    """

    euler: LinearStep
    level: NoiseLevel
    start: float
    end: float
    out: float

    @property
    def evaluations(self) -> int:
        """Two, or one where the slope at the beginning is known to be zero."""
        return self.euler.evaluations + 1

    def __call__(self, state: State, run: Run) -> State:
        """Make the step."""
        x, means = self.euler(state, run)
        prediction = run.predict(x, self.level)
        terms = [(self.start, state.x), (self.end, x), (self.out, prediction)]
        return State(weighted_sum(terms, in_place=run.in_place), means)


def heun_steps(denoiser: Denoiser, levels: Levels, first: list[LinearStep]) -> list[Step]:
    r"""Heun's steps for Euler's, except to the data and out of (or into) pure noise.

    Args:
        denoiser: The denoiser.
        levels: Where the steps begin and end.
        first: Euler's step of each.

    Example:
        >>> from probgen.diffusion.samplers.edm_solvers import heun_steps
        >>> heun_steps.__name__
        'heun_steps'
    """
    inner = (~_beyond_heun(levels) & (levels.s.sigma > 0)).tolist()
    last = int(float(levels.s.sigma[-1]) == 0)
    ends = levels.s[: len(levels) - last]
    skip, out = mean_coefficients_of(denoiser, ends)
    ratio = (levels.s.alpha / levels.t.alpha).tolist()
    half_step = _half_step(levels).tolist()
    alpha, sigma = levels.s.alpha.tolist(), levels.s.sigma.tolist()
    steps: list[Step] = []
    for index, (level, euler_step) in enumerate(zip([*separate(denoiser, ends), None], first, strict=False)):
        if level is None or not inner[index]:
            steps.append(euler_step)
            continue
        slope = half_step[index] / sigma[index]
        end = 0.5 + slope * (1 - alpha[index] * skip[index])
        steps.append(HeunStep(euler_step, level, 0.5 * ratio[index], end, -slope * alpha[index] * out[index]))
    return steps


def _beyond_heun(levels: Levels) -> Tensor:
    r"""Where the noisier end has :math:`\rho > 200` and the other less than half of it."""
    ratios = levels.t.sigma / levels.t.alpha, levels.s.sigma / levels.s.alpha
    noisy, clean = torch.maximum(*ratios), torch.minimum(*ratios)
    return (noisy > _PURE_NOISE) & (noisy > 2 * clean)


def _half_step(levels: Levels) -> Tensor:
    r""":math:`\alpha_s (\rho_s - \rho_t) / 2`, in whichever direction, without cancellation."""
    return -levels.s.sigma * torch.expm1(levels.log_snr_gain / 2) / 2


def _edm_steps(
    denoiser: Denoiser, grid: TimeGrid, *, order: int, churn: float, churn_range: tuple[float, float], churn_noise: float
) -> list[Step]:
    levels = Levels.of(denoiser, grid)
    before, levels = _churned(denoiser, levels, churn, churn_range, churn_noise)
    columns = (value.tolist() for value in implicit_coefficients(levels))
    rows = zip(separate(denoiser, levels.t), *columns, *mean_coefficients_of(denoiser, levels.t), strict=True)
    first = [LinearStep(level, a, (b,), 0.0, skip, out) for level, a, b, _, skip, out in rows]
    steps: list[Step] = [*first] if order == 1 else heun_steps(denoiser, levels, first)
    return [step if churned is None else StepSequence([churned, step]) for churned, step in zip(before, steps, strict=True)]


def _churned(
    denoiser: Denoiser, levels: Levels, churn: float, churn_range: tuple[float, float], churn_noise: float
) -> tuple[list[LinearStep | None], Levels]:
    """The step that adds noise before each step, or None, and the levels with the noise added."""
    ratio = levels.t.sigma / levels.t.alpha
    gamma = min(churn / len(levels), math.sqrt(2.0) - 1.0)
    within = (ratio >= churn_range[0]) & (ratio <= churn_range[1]) & (levels.t.alpha > 0)
    growth = torch.where(within, torch.full_like(ratio, gamma), torch.zeros_like(ratio))
    if not bool((growth > 0).any()):
        return [None] * len(levels), levels
    raised = level_at_log_snr(denoiser.schedule, levels.t.log_snr - 2 * torch.log1p(growth))
    names = ("t", "log_snr", "alpha", "sigma")
    raised = NoiseLevel(*(torch.where(growth > 0, getattr(raised, name), getattr(levels.t, name)) for name in names))
    scale = raised.alpha / levels.t.alpha
    noise = torch.sqrt(raised.sigma.square() - (scale * levels.t.sigma).square()) * churn_noise
    rows = zip(growth.tolist(), scale.tolist(), noise.tolist(), strict=True)
    return [LinearStep(None, a, (), c) if g > 0 else None for g, a, c in rows], Levels(raised, levels.s)


def _check_churn(churn: float) -> None:
    if not churn >= 0:
        raise ValueError(f"`churn` must not be negative; got {churn}.")
