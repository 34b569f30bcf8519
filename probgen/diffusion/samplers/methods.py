r"""The samplers as methods of a model, with its denoiser and times that suit each sampler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from probgen.diffusion.samplers.ancestral_sampling import LastStep, ancestral
from probgen.diffusion.samplers.ddim_family import ddim
from probgen.diffusion.samplers.edm_solvers import euler, heun
from probgen.diffusion.samplers.grids import SamplerSpacing, sampling_grid
from probgen.diffusion.samplers.inverting import inversion
from probgen.diffusion.samplers.langevin_dynamics import Predictor, annealed_langevin, predictor_corrector
from probgen.diffusion.samplers.multistep_solvers import dpm_solver, uni_pc
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.stochastic_solvers import euler_maruyama
from probgen.distributions.chains import Denoiser, TimeGrid

__all__ = ["SamplingMethods"]


class SamplingMethods(nn.Module):
    r"""What has a denoiser and a grid can sample (abstract).

    Every method returns a :class:`Sampler`, to be called with the noisiest state: ``d.ddim(steps=20)(d.prior.sample((64,)))``.
    Common arguments:

    ``steps``
        The number of steps; None takes every step of the model's grid.
    ``spacing``
        How their times are chosen, see ``sampling_grid``.
    ``grid``
        The times themselves; replaces both.
    ``denoiser``
        Another denoiser than the model's, for example a guided one.

    A subclass has the attributes ``denoiser`` and ``grid``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return 0.1 * x
        >>> d = pg.diffusion.Diffusion(Network(), pg.diffusion.cosine_schedule(), event_shape=(2,))
        >>> d.ddim(steps=20)(d.prior.sample((64,))).shape
        torch.Size([64, 2])
        >>> d.heun(steps=18)
        Sampler(heun(churn=0.0), 18 steps from t=1 to t=0)
    """

    denoiser: Denoiser
    grid: TimeGrid

    def ancestral(
        self,
        steps: int | None = None,
        *,
        last: LastStep = "mean",
        spacing: SamplerSpacing = "even",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """Sample from the chain, with the variance that the denoiser's spread implies; see ``samplers.ancestral``."""
        return self._sampler(ancestral, steps, spacing, grid, denoiser, last=last)

    def ddim(
        self,
        steps: int | None = 50,
        eta: float = 0.0,
        *,
        fixed_large: bool = False,
        spacing: SamplerSpacing = "even",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """Denoising diffusion implicit models, from deterministic to the Markov chain; see ``samplers.ddim``."""
        return self._sampler(ddim, steps, spacing, grid, denoiser, eta=eta, fixed_large=fixed_large)

    def euler(
        self,
        steps: int | None = 50,
        *,
        spacing: SamplerSpacing = "rho",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
        **churn: Any,
    ) -> Sampler:
        """Euler's method on the probability flow, with churn if wanted; see ``samplers.euler``."""
        return self._sampler(euler, steps, spacing, grid, denoiser, **churn)

    def heun(
        self,
        steps: int | None = 18,
        *,
        spacing: SamplerSpacing = "rho",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
        **churn: Any,
    ) -> Sampler:
        """Heun's method on the probability flow, with churn if wanted; see ``samplers.heun``."""
        return self._sampler(heun, steps, spacing, grid, denoiser, **churn)

    def dpm_solver(
        self,
        steps: int | None = 20,
        *,
        order: int = 2,
        spacing: SamplerSpacing = "log_snr",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """DPM-Solver++, a multistep method of second order; see ``samplers.dpm_solver``."""
        return self._sampler(dpm_solver, steps, spacing, grid, denoiser, order=order)

    def uni_pc(
        self,
        steps: int | None = 10,
        *,
        order: int = 2,
        spacing: SamplerSpacing = "log_snr",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """UniPC, a multistep predictor and corrector at one evaluation a step; see ``samplers.uni_pc``."""
        return self._sampler(uni_pc, steps, spacing, grid, denoiser, order=order)

    def euler_maruyama(
        self,
        steps: int | None = None,
        *,
        eta: float = 1.0,
        spacing: SamplerSpacing = "even",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """Euler and Maruyama's method on the reverse-time equation; see ``samplers.euler_maruyama``."""
        return self._sampler(euler_maruyama, steps, spacing, grid, denoiser, eta=eta)

    def predictor_corrector(
        self,
        steps: int | None = None,
        *,
        predictor: Predictor = "ancestral",
        corrections: int = 1,
        signal_to_noise: float = 0.16,
        spacing: SamplerSpacing = "even",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """A predictor from level to level with Langevin steps at each; see ``samplers.predictor_corrector``."""
        settings = {"predictor": predictor, "corrections": corrections, "signal_to_noise": signal_to_noise}
        return self._sampler(predictor_corrector, steps, spacing, grid, denoiser, **settings)

    def annealed_langevin(
        self,
        steps: int | None = 10,
        *,
        steps_per_level: int = 10,
        step_size: float = 0.2,
        denoise: bool = True,
        spacing: SamplerSpacing = "log_snr",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """Langevin dynamics at one noise level after another; see ``samplers.annealed_langevin``."""
        settings = {"steps_per_level": steps_per_level, "step_size": step_size, "denoise": denoise}
        return self._sampler(annealed_langevin, steps, spacing, grid, denoiser, **settings)

    def inversion(
        self,
        steps: int | None = 50,
        *,
        order: int = 2,
        spacing: SamplerSpacing = "even",
        grid: TimeGrid | None = None,
        denoiser: Denoiser | None = None,
    ) -> Sampler:
        """From data to noise along the probability flow; see ``samplers.inversion``."""
        return self._sampler(inversion, steps, spacing, grid, denoiser, order=order)

    def _sampler(
        self,
        factory: Callable[..., Sampler],
        steps: int | None,
        spacing: SamplerSpacing,
        grid: TimeGrid | None,
        denoiser: Denoiser | None,
        **settings: Any,
    ) -> Sampler:
        chosen = self.denoiser if denoiser is None else denoiser
        times = sampling_grid(chosen.schedule, self.grid, steps, spacing) if grid is None else grid
        return factory(chosen, times, **settings)
