r"""Ancestral sampling: draw every state from the reverse kernel that the denoiser implies.

.. math:: x_s \sim p(x_s \mid x_t) = \int q(x_s \mid x_t, x_0)\, p(x_0 \mid x_t)\,\mathrm dx_0 .

Where the posterior variance :math:`\Sigma_t` is one number, this is the linear step
:math:`c_0 \hat x_0 + c_t x_t + \sqrt{\tilde v + c_0^2 \Sigma_t}\; z`: a point mass gives the "fixed small" variance
:math:`\tilde v`, a unit prior "fixed large", a fitted one the analytic. Any other law (a learned variance, Tweedie's
covariance, the exact posterior of a mixture) is pushed through :math:`q(x_s \mid x_t, x_0)` and drawn from. See
``docs/derivations/diffusion-sampling.md``.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from probgen.diffusion.samplers.ddim_family import one_mean_steps
from probgen.diffusion.samplers.drawing import draw
from probgen.diffusion.samplers.levels import Levels, separate
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import Run, State, Step
from probgen.distributions.chains import (
    Decoder,
    Denoised,
    Denoiser,
    NoiseLevel,
    TimeGrid,
    posterior_coefficients,
)

__all__ = ["KernelStep", "LastStep", "ancestral"]

LastStep = Literal["mean", "sample"] | Decoder
"""What is returned at the data: the mean, a draw from the denoiser's law, or a draw from a decoder's."""


def ancestral(denoiser: Denoiser, grid: TimeGrid, *, last: LastStep = "mean") -> Sampler:
    r"""Sample from the chain: Algorithm 2 of Ho et al., with the variance that the denoiser's spread implies.

    Args:
        denoiser: The denoiser.
        grid: The times of the chain.
        last: At the data, return the posterior "mean" (no noise is added, as in Algorithm 2), a "sample" from the denoiser's
            law, or a sample from the law that a decoder gives. With the exact posterior, "sample" makes the whole chain exact.

    Raises:
        ValueError: ``last`` is none of these; no signal is left at the first time and the denoiser predicts the noise.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239
        Bao, Li, Zhu, Zhang (2022). Analytic-DPM. https://arxiv.org/abs/2201.06503

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ancestral
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(0.25))
        >>> sampler = ancestral(oracle, TimeGrid(4), last="sample")  # exact in four steps
        >>> x = sampler(torch.randn(100_000, 1, generator=torch.Generator().manual_seed(0)))
        >>> round(float(x.std()), 2)
        0.5
    """
    if isinstance(last, str) and last not in ("mean", "sample"):
        raise ValueError(f"`last` must be 'mean', 'sample' or a decoder; got {last!r}.")
    shown = repr(last) if isinstance(last, str) else getattr(last, "__name__", repr(last))
    return Sampler(f"ancestral(last={shown})", denoiser, grid, partial(_ancestral_steps, last=last))


class KernelStep(NamedTuple):
    r"""A draw from the reverse kernel of whatever law the denoiser reports.

    Attributes:
        t: The level at which the step begins.
        s: The level at which it ends.
        last: What is returned where that is the data.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers.ancestral_sampling import KernelStep
        >>> from probgen.diffusion.samplers.steps import Run, State
        >>> from probgen.distributions.chains import GaussianDenoiser, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(2), torch.tensor(1.0))
        >>> step = KernelStep(oracle.schedule.level(0.5), oracle.schedule.level(0.4), "mean")
        >>> step(State(torch.zeros(3, 2)), Run(oracle)).x.shape
        torch.Size([3, 2])
    """

    t: NoiseLevel
    s: NoiseLevel
    last: LastStep

    @property
    def evaluations(self) -> int:
        """One."""
        return 1

    def __call__(self, state: State, run: Run) -> State:
        """Make the step."""
        denoised = Denoised(run.denoiser.posterior(state.x, self.t, run.context), state.x, self.t)
        x = self._drawn(denoised, run)
        return State(x, (denoised.mean,) if run.recording else ())

    def _drawn(self, denoised: Denoised, run: Run) -> Tensor:
        if float(self.s.sigma) > 0:
            return draw(denoised.reverse(self.s), run.noise)
        if self.last == "mean":
            return denoised.mean
        law = denoised.law if isinstance(self.last, str) else self.last(denoised)
        return draw(law, run.noise)


def _ancestral_steps(denoiser: Denoiser, grid: TimeGrid, *, last: LastStep) -> list[Step]:
    levels = Levels.of(denoiser, grid)
    variance = denoiser.isotropic_variance(levels.t)
    if variance is None:
        return _kernel_steps(denoiser, levels, last)
    variance = variance.detach().to(levels.t.t)
    data, noisy, rest = posterior_coefficients(levels.s, levels.t)
    noise = torch.sqrt(rest + data.square() * variance)
    if last == "mean":
        noise = torch.where(levels.s.sigma > 0, noise, torch.zeros_like(noise))
    steps: list[Step] = [*one_mean_steps(denoiser, levels, noisy, data, noise)]
    if not isinstance(last, str) and float(levels.s.sigma[-1]) == 0:
        steps[-1] = _kernel_steps(denoiser, levels, last)[-1]
    return steps


def _kernel_steps(denoiser: Denoiser, levels: Levels, last: LastStep) -> list[Step]:
    pairs = zip(separate(denoiser, levels.t), separate(denoiser, levels.s), strict=True)
    return [KernelStep(t, s, last) for t, s in pairs]
