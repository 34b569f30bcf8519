r"""Euler and Maruyama's method on the reverse-time equation of any Gaussian process.

The process :math:`\mathrm dx = f x\,\mathrm dt + g\,\mathrm dw` is reversed, with the same marginal at every time, by

.. math::

    \mathrm dx = \bigl(f x - \tfrac12 (1 + \eta^2)\, g^2\, \nabla \log q_t(x)\bigr)\,\mathrm dt + \eta\, g\,\mathrm d\bar w

for any :math:`\eta \ge 0`: :math:`\eta = 1` is Anderson's equation, :math:`\eta = 0` the probability flow. Since
:math:`g^2 = -\sigma^2 \lambda'` and :math:`\nabla \log q_t = -(x - \alpha \hat x_0) / \sigma^2`, a step of length
:math:`\Delta = t - s` is linear in :math:`x` and :math:`\hat x_0`. It is of first order *in time*; the samplers that
integrate the linear part exactly are better at few steps. See ``docs/derivations/diffusion-score.md`` and ``diffusion-sde.md``.
"""

from __future__ import annotations

from functools import partial

import torch

from probgen.diffusion.samplers.ddim_family import one_mean_steps
from probgen.diffusion.samplers.levels import Levels
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import LinearStep
from probgen.distributions.chains import Denoiser, TimeGrid

__all__ = ["euler_maruyama"]


def euler_maruyama(denoiser: Denoiser, grid: TimeGrid, *, eta: float = 1.0) -> Sampler:
    r"""Euler and Maruyama's method on the reverse-time equation, for any schedule and scaling.

    The last step, where it ends at the data, goes to the posterior mean, the limit of an exact step.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit, many of them.
        eta: Strength of the noise; 0 is Euler's method in time on the probability flow.

    Raises:
        ValueError: negative ``eta``, or a schedule that moves infinitely fast at the first time (no signal left there).

    References:
        Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). Score-based generative modeling through stochastic
        differential equations. https://arxiv.org/abs/2011.13456
        Anderson (1982). Reverse-time diffusion equation models. https://doi.org/10.1016/0304-4149(82)90051-5

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import euler_maruyama
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, variance_preserving_schedule
        >>> oracle = GaussianDenoiser(variance_preserving_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> euler_maruyama(oracle, TimeGrid(100))(torch.randn(8, 2)).shape
        torch.Size([8, 2])
    """
    if not eta >= 0:
        raise ValueError(f"`eta` must not be negative; got {eta}.")
    return Sampler(f"euler_maruyama(eta={eta})", denoiser, grid, partial(_maruyama_steps, eta=eta))


def _maruyama_steps(denoiser: Denoiser, grid: TimeGrid, *, eta: float) -> list[LinearStep]:
    levels, schedule = Levels.of(denoiser, grid), denoiser.schedule
    t = levels.t.t.to(next((buffer.device for buffer in schedule.buffers()), torch.device("cpu")))
    with torch.no_grad():
        drift, rate = schedule.drift(t).cpu(), schedule.dlog_snr(t).cpu()
    if not bool((drift.isfinite() & rate.isfinite()).all()):
        raise ValueError("the schedule moves infinitely fast at the first time of `grid`; start where some signal is left.")
    length = levels.t.t - levels.s.t
    pull = (1 + eta**2) / 2 * rate * length
    scale = 1 - drift * length + pull
    weight = -pull * levels.t.alpha
    noise = eta * levels.t.sigma * torch.sqrt(-rate * length)
    at_data = levels.s.sigma == 0
    ends = torch.where(at_data, 0.0, scale), torch.where(at_data, 1.0, weight), torch.where(at_data, 0.0, noise)
    return one_mean_steps(denoiser, levels, *ends)
