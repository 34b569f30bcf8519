r"""From data to noise along the probability flow: the latent state whose deterministic sample is a given datum.

The steps are those of Euler (DDIM) or Heun, walked from the data to the noise. The first step leaves the data, where the
expected noise of clean data is zero, so it costs no evaluation: :math:`x_{t_1} = \alpha_{t_1} x_0` for Euler, and Heun averages
that slope with the one at :math:`t_1`. Going there with one method and back with the same is not the identity; the gap is the
method's error, of first or second order.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from probgen.diffusion.samplers.edm_solvers import heun_steps
from probgen.diffusion.samplers.levels import Levels, mean_coefficients_of, separate
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import LinearStep, Step
from probgen.distributions.chains import Denoiser, TimeGrid

__all__ = ["inversion"]


def inversion(denoiser: Denoiser, grid: TimeGrid, *, order: int = 2) -> Sampler:
    r"""The probability flow from the last time of a grid, usually the data, to its first.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit, the same as for sampling.
        order: 1, Euler's method, the inversion of DDIM with one evaluation a step; or 2, Heun's, with two.

    Raises:
        ValueError: the order is neither.

    References:
        Song, Meng, Ermon (2021). Denoising diffusion implicit models. https://arxiv.org/abs/2010.02502

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import heun, inversion
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2).double(), torch.tensor(0.25).double())
        >>> grid, x = TimeGrid.log_snr(oracle.schedule, 100), torch.ones(1, 2).double()
        >>> back = heun(oracle, grid)(inversion(oracle, grid)(x))
        >>> bool((back - x).abs().max() < 2e-3)
        True
    """
    if order not in (1, 2):
        raise ValueError(f"`order` must be 1 or 2; got {order}.")
    return Sampler(f"inversion(order={order})", denoiser, grid, partial(_inversion_steps, order=order), from_data=True)


def _inversion_steps(denoiser: Denoiser, grid: TimeGrid, *, order: int) -> list[Step]:
    levels = Levels.of(denoiser, grid, from_data=True)
    first = _euler_steps(denoiser, levels)
    return heun_steps(denoiser, levels, first) if order == 2 else [*first]


def _euler_steps(denoiser: Denoiser, levels: Levels) -> list[LinearStep]:
    at_data = int(float(levels.t.sigma[0]) == 0)
    begins = levels.t[at_data:]
    scale, weight = (value.tolist() for value in _toward_noise(levels))
    columns = (scale[at_data:], weight[at_data:], *mean_coefficients_of(denoiser, begins))
    rows = zip(separate(denoiser, begins), *columns, strict=True)
    leaving = [LinearStep(None, float(levels.s.alpha[0] / levels.t.alpha[0]), ())] * at_data
    return leaving + [LinearStep(level, a, (b,), 0.0, skip, out) for level, a, b, skip, out in rows]


def _toward_noise(levels: Levels) -> tuple[Tensor, Tensor]:
    r"""The coefficients :math:`\sigma_s/\sigma_t` and :math:`\alpha_s - \alpha_t \sigma_s / \sigma_t` without cancellation."""
    scale = levels.s.sigma / levels.t.sigma
    return scale, levels.t.alpha * scale * (levels.log_snr_gain / 2).expm1()
