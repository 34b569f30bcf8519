r"""Samplers that walk at a fixed noise level: annealed Langevin dynamics, and predictors with a Langevin corrector.

A step of Langevin dynamics at the level :math:`(\alpha, \sigma)`, of the size :math:`\epsilon = r \sigma^2`, is

.. math::

    x' = x + \tfrac{\epsilon}{2} \nabla\log q_t(x) + \sqrt{\epsilon}\, z
       = \bigl(1 - \tfrac r2\bigr) x + \tfrac r2 \alpha \hat x_0 + \sqrt r\, \sigma z .

It leaves :math:`q_t` invariant as :math:`r \to 0`. Annealed Langevin dynamics makes L such steps at every level, from the
noisiest on. The corrector of Song et al. chooses r by the ratio of the norms of score and noise, here *for each sample by
itself*, so that what is drawn for one datum does not depend on its neighbors in a batch. See
``docs/derivations/diffusion-score.md``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple

import torch

from probgen.diffusion.samplers.ancestral_sampling import ancestral
from probgen.diffusion.samplers.ddim_family import ddim
from probgen.diffusion.samplers.levels import Levels, mean_coefficients_of, separate
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import LinearStep, Run, State, Step, StepSequence, weighted_sum
from probgen.diffusion.samplers.stochastic_solvers import euler_maruyama
from probgen.distributions.chains import Denoiser, NoiseLevel, TimeGrid

__all__ = ["CorrectorStep", "Predictor", "annealed_langevin", "predictor_corrector"]

Predictor = Literal["ancestral", "euler_maruyama", "ddim"]
"""What takes a predictor-corrector sampler from one level to the next."""

_PREDICTORS: dict[str, Callable[[Denoiser, TimeGrid], Sampler]] = {
    "ancestral": ancestral,
    "euler_maruyama": euler_maruyama,
    "ddim": ddim,
}


def annealed_langevin(
    denoiser: Denoiser, grid: TimeGrid, *, steps_per_level: int = 10, step_size: float = 0.2, denoise: bool = True
) -> Sampler:
    r"""Langevin dynamics at one noise level after another.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The levels to visit; the last, at the data, is not walked at.
        steps_per_level: Number L of steps at each level.
        step_size: Size r of a step relative to :math:`\sigma^2`, in (0, 2).
        denoise: Return the posterior mean at the end; else the last noisy state.

    Raises:
        ValueError: not a single step, or a step size outside (0, 2).

    References:
        Song, Ermon (2019). Generative modeling by estimating gradients of the data distribution.
        https://arxiv.org/abs/1907.05600

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import annealed_langevin
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, variance_exploding_schedule
        >>> oracle = GaussianDenoiser(variance_exploding_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> annealed_langevin(oracle, TimeGrid(10), steps_per_level=3).evaluations
        31
    """
    if steps_per_level < 1 or not 0 < step_size < 2:
        raise ValueError(
            f"`steps_per_level` must be positive and `step_size` in (0, 2); got {steps_per_level} and {step_size}."
        )
    build = partial(_langevin_steps, steps_per_level=steps_per_level, step_size=step_size, denoise=denoise)
    return Sampler(f"annealed_langevin(steps_per_level={steps_per_level}, step_size={step_size})", denoiser, grid, build)


def predictor_corrector(
    denoiser: Denoiser,
    grid: TimeGrid,
    *,
    predictor: Predictor = "ancestral",
    corrections: int = 1,
    signal_to_noise: float = 0.16,
) -> Sampler:
    r"""A predictor from level to level, and Langevin steps at each level before it.

    A corrector step has the relative size :math:`r = 4 (\mathrm{snr}\, \lVert z\rVert / \lVert\hat\varepsilon\rVert)^2`, at
    most 1, with norms of each sample by itself.

    Args:
        denoiser: The denoiser.
        grid: The times to visit.
        predictor: "ancestral", "euler_maruyama" or "ddim".
        corrections: Number of corrector steps at each level.
        signal_to_noise: The number snr.

    Raises:
        ValueError: no such predictor, or a number that is not positive.

    References:
        Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). Score-based generative modeling through stochastic
        differential equations. https://arxiv.org/abs/2011.13456

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import predictor_corrector
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, variance_exploding_schedule
        >>> oracle = GaussianDenoiser(variance_exploding_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> predictor_corrector(oracle, TimeGrid(10)).evaluations
        20
    """
    if predictor not in _PREDICTORS:
        raise ValueError(f"`predictor` must be one of {list(_PREDICTORS)}; got {predictor!r}.")
    if corrections < 1 or not signal_to_noise > 0:
        raise ValueError(f"`corrections` and `signal_to_noise` must be positive; got {corrections} and {signal_to_noise}.")
    build = partial(_corrected_steps, predictor=predictor, corrections=corrections, signal_to_noise=signal_to_noise)
    return Sampler(f"predictor_corrector({predictor!r}, corrections={corrections})", denoiser, grid, build)


class CorrectorStep(NamedTuple):
    r"""A step of Langevin dynamics whose size each sample chooses by its own norms.

    Attributes:
        level: The noise level.
        skip: The coefficient of :math:`x_t` in :math:`\hat\varepsilon`.
        out: The coefficient of the prediction in :math:`\hat\varepsilon`.
        sigma: Standard deviation of the noise.
        signal_to_noise: The wanted ratio of the norms of drift and noise.

    Example:
        >>> from probgen.diffusion.samplers.langevin_dynamics import CorrectorStep
        >>> CorrectorStep(None, 0.0, 1.0, 1.0, 0.16).evaluations
        1
    """

    level: NoiseLevel
    skip: float
    out: float
    sigma: float
    signal_to_noise: float

    @property
    def evaluations(self) -> int:
        """One."""
        return 1

    def __call__(self, state: State, run: Run) -> State:
        """Make the step."""
        x = state.x
        rank = run.denoiser.event_dim
        eps = weighted_sum([(self.skip, x), (self.out, run.predict(x, self.level))], in_place=run.in_place)
        z = run.noise(x)
        axes = tuple(range(x.dim() - rank, x.dim()))
        norms = [tensor.square().sum(axes, keepdim=True) if axes else tensor.square() for tensor in (z, eps)]
        size = (4 * self.signal_to_noise**2 * norms[0] / norms[1]).clamp(max=1.0)
        size = torch.where(norms[1] > 0, size, torch.ones_like(size))
        moved = torch.addcmul(x, eps, size * (-self.sigma / 2))
        return State(torch.addcmul(moved, z, size.sqrt() * self.sigma), state.means)


def _langevin_steps(denoiser: Denoiser, grid: TimeGrid, *, steps_per_level: int, step_size: float, denoise: bool) -> list[Step]:
    levels = Levels.of(denoiser, grid)
    half = step_size / 2
    columns = (levels.t.alpha.tolist(), levels.t.sigma.tolist(), levels.s.sigma.tolist())
    rows = zip(separate(denoiser, levels.t), *columns, *mean_coefficients_of(denoiser, levels.t), strict=True)
    steps: list[Step] = []
    for level, alpha, sigma, sigma_s, skip, out in rows:
        walk = LinearStep(level, 1 - half, (half * alpha,), math.sqrt(step_size) * sigma, skip, out)
        last = [LinearStep(level, 0.0, (1.0,), 0.0, skip, out)] if denoise and sigma_s == 0 else []
        steps.append(StepSequence([walk] * steps_per_level + last))
    return steps


def _corrected_steps(
    denoiser: Denoiser, grid: TimeGrid, *, predictor: Predictor, corrections: int, signal_to_noise: float
) -> list[Step]:
    levels = Levels.of(denoiser, grid)
    alpha, sigma = levels.t.alpha.tolist(), levels.t.sigma.tolist()
    rows = zip(separate(denoiser, levels.t), alpha, sigma, *mean_coefficients_of(denoiser, levels.t), strict=True)
    predictors = _PREDICTORS[predictor](denoiser, grid).steps
    steps: list[Step] = []
    for prediction, (level, a, s, skip, out) in zip(predictors, rows, strict=True):
        corrector = CorrectorStep(level, (1 - a * skip) / s, -a * out / s, s, signal_to_noise)
        steps.append(StepSequence([corrector] * corrections + [prediction]))
    return steps
