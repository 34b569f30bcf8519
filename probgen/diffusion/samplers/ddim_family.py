r"""Denoising diffusion implicit models: a family of processes that share their marginals, and so share a denoiser.

For every standard deviation :math:`0 \le \varsigma \le \sigma_s`

.. math::

    q_\varsigma(x_s \mid x_t, x_0) = \mathcal N\Bigl(\alpha_s x_0 + \sqrt{\sigma_s^2 - \varsigma^2}\;
        \frac{x_t - \alpha_t x_0}{\sigma_t},\; \varsigma^2 I\Bigr)

keeps :math:`q(x_s \mid x_0) = \mathcal N(\alpha_s x_0, \sigma_s^2 I)`. With :math:`\varsigma = \eta \sqrt{\tilde v}` it runs
from the deterministic DDIM (:math:`\eta = 0`, Euler's method on the probability flow in the variables :math:`x/\alpha`,
:math:`\sigma/\alpha`) to the Markov chain (:math:`\eta = 1`). With :math:`E = e^{\lambda_t - \lambda_s}` the coefficients are,
without cancellation,

.. math::

    \text{of } x_t:\; \frac{\sigma_s}{\sigma_t}\, r, \qquad
    \text{of } \hat x_0:\; \alpha_s\, \frac{(1 - E)(1 + \eta^2 E)}{1 + \sqrt E\, r}, \qquad r = \sqrt{(1 - \eta^2) + \eta^2 E} .

See ``docs/derivations/diffusion-ddim.md``.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.diffusion.samplers.levels import Levels, mean_coefficients_of, separate
from probgen.diffusion.samplers.sampler import Sampler
from probgen.diffusion.samplers.steps import LinearStep
from probgen.distributions.chains import Denoiser, TimeGrid, posterior_coefficients, transition_coefficients

__all__ = ["ImplicitCoefficients", "ddim", "implicit_coefficients", "one_mean_steps"]


class ImplicitCoefficients(NamedTuple):
    r"""Of a step :math:`\mathrm{scale}\, x_t + \mathrm{weight}\, \hat x_0 + \mathrm{noise}\, z`, float64 vectors ``[N]``.

    Example:
        >>> from probgen.diffusion.samplers.ddim_family import ImplicitCoefficients
        >>> ImplicitCoefficients._fields
        ('scale', 'weight', 'noise')
    """

    scale: Tensor
    weight: Tensor
    noise: Tensor


def ddim(denoiser: Denoiser, grid: TimeGrid, *, eta: float = 0.0, fixed_large: bool = False) -> Sampler:
    r"""The sampler of denoising diffusion implicit models.

    Args:
        denoiser: The denoiser; only its mean is used.
        grid: The times to visit; any sub-sequence of those it was trained on.
        eta: Noise from 0, deterministic, to 1, that of the Markov chain with its smaller variance.
        fixed_large: Add noise of the larger variance :math:`\sigma_t^2 (1 - e^{\lambda_t - \lambda_s})`, that of the forward
            step, to the mean of ``eta = 1``: the :math:`\hat\sigma` of the paper. It leaves the family, and its marginals.
            ``eta`` must be 1.

    Raises:
        ValueError: ``eta`` lies outside [0, 1], or is not 1 with ``fixed_large``; no signal is left at the first time and the
            denoiser predicts the noise.

    References:
        Song, Meng, Ermon (2021). Denoising diffusion implicit models. https://arxiv.org/abs/2010.02502

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers import ddim
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1).double(), torch.tensor(0.0625).double())
        >>> x = ddim(oracle, TimeGrid(1000).respaced(10))(torch.ones(1).double())
        >>> round(float(x) / 0.25, 2)  # the probability flow gives 1.00
        0.56
    """
    if not 0.0 <= eta <= 1.0:
        raise ValueError(f"`eta` must lie in [0, 1]; got {eta}.")
    if fixed_large and eta != 1.0:
        raise ValueError(f"`fixed_large` is a variant of `eta` = 1; got eta = {eta}.")
    name = f"ddim(eta={eta}{', fixed_large=True' if fixed_large else ''})"
    return Sampler(name, denoiser, grid, partial(_implicit_steps, eta=eta, fixed_large=fixed_large))


def implicit_coefficients(levels: Levels, eta: float = 0.0) -> ImplicitCoefficients:
    r"""The coefficients of the family for steps from t to s.

    Args:
        levels: Where the steps begin and end.
        eta: Noise relative to that of the Markov chain.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers.ddim_family import implicit_coefficients
        >>> from probgen.diffusion.samplers.levels import Levels
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> levels = Levels.of(oracle, TimeGrid(4))
        >>> scale, weight, noise = implicit_coefficients(levels, eta=0.3)
        >>> torch.allclose(weight + scale * levels.t.alpha, levels.s.alpha)  # the mean of the marginal is kept
        True
    """
    ratio = torch.exp(-levels.log_snr_gain)
    kept = torch.sqrt((1 - eta**2) + eta**2 * ratio)
    scale = levels.s.sigma / levels.t.sigma * kept
    lost = -torch.expm1(-levels.log_snr_gain)
    weight = levels.s.alpha * lost * (1 + eta**2 * ratio) / (1 + ratio.sqrt() * kept)
    noise = eta * posterior_coefficients(levels.s, levels.t).variance.sqrt()
    return ImplicitCoefficients(scale, weight, noise)


def one_mean_steps(denoiser: Denoiser, levels: Levels, scale: Tensor, weight: Tensor, noise: Tensor) -> list[LinearStep]:
    """Linear steps that use the current mean only, from vectors of coefficients ``[N]``.

    Args:
        denoiser: The denoiser.
        levels: Where the steps begin and end.
        scale: Coefficients of the state.
        weight: Coefficients of the mean.
        noise: Standard deviations of the noise.

    Example:
        >>> import torch
        >>> from probgen.diffusion.samplers.ddim_family import implicit_coefficients, one_mean_steps
        >>> from probgen.diffusion.samplers.levels import Levels
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, linear_schedule
        >>> oracle = GaussianDenoiser(linear_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> levels = Levels.of(oracle, TimeGrid(4))
        >>> one_mean_steps(oracle, levels, *implicit_coefficients(levels))[-1].weights  # the last step goes to the mean
        (1.0,)
    """
    columns = (scale.tolist(), weight.tolist(), noise.tolist(), *mean_coefficients_of(denoiser, levels.t))
    rows = zip(separate(denoiser, levels.t), *columns, strict=True)
    return [LinearStep(level, a, (b,), c, skip, out) for level, a, b, c, skip, out in rows]


def _implicit_steps(denoiser: Denoiser, grid: TimeGrid, *, eta: float, fixed_large: bool) -> list[LinearStep]:
    levels = Levels.of(denoiser, grid)
    scale, weight, noise = implicit_coefficients(levels, eta)
    if fixed_large:
        forward = transition_coefficients(levels.s, levels.t).variance.sqrt()
        noise = torch.where(levels.s.sigma > 0, forward, torch.zeros_like(forward))
    return one_mean_steps(denoiser, levels, scale, weight, noise)
