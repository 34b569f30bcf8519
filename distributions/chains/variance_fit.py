r"""Fit the spread of a denoiser to data: one variance per noise level, the estimate of Analytic-DPM.

Among the laws :math:`\mathcal N(\hat x_0, \Sigma I)` of D coordinates the most likely one has

.. math:: \Sigma = \frac{\mathbb E\,|x_0 - \hat x_0|^2}{D}
    = \frac{\sigma^2}{\alpha^2}\, \frac{\mathbb E\,|\varepsilon - \hat\varepsilon|^2}{D}.

The normal prior of which this is the posterior variance has the variance :math:`\kappa = \Sigma / m`, where
:math:`m = 1 - \Sigma\alpha^2/\sigma^2` is the share of the noise's variance that the mean explains: a constant for Gaussian
data, and slowly varying otherwise, so it is what is interpolated.

If :math:`\hat x_0` is the true posterior mean, its error is orthogonal to it,
:math:`\mathbb E|\varepsilon|^2 = \mathbb E|\hat\varepsilon|^2 + \mathbb E|\varepsilon - \hat\varepsilon|^2`, so that
:math:`m = \mathbb E|\hat\varepsilon|^2 / D` can be measured as well, and
:math:`\Sigma = (\sigma^2/\alpha^2)(1 - \mathbb E|\hat\varepsilon|^2 / D)` follows from the predictions alone: the form of
Analytic-DPM. Here both are measured; the quotient is accurate near the data, where the error is almost all of the noise, and
near the noise, where it is almost none.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from probgen.distributions.chains.denoiser import Denoiser
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.posterior_spread import FittedVariance
from probgen.distributions.chains.time_grid import TimeGrid
from probgen.distributions.events import over_event

__all__ = ["fit_variance"]

_SMALLEST = 1e-12


@torch.no_grad()
def fit_variance(
    denoiser: Denoiser,
    data: Tensor,
    grid: TimeGrid,
    *,
    context: Tensor | None = None,
    assume: Literal["error", "exact mean"] = "error",
    batch_size: int = 1024,
    generator: torch.Generator | None = None,
) -> FittedVariance:
    r"""The optimal isotropic variance of :math:`p(x_0 \mid x_t)` at the times of a grid.

    :math:`\kappa` is kept below :math:`((\max - \min)/2)^2`, the largest variance of a variable with the range of the data.

    Args:
        denoiser: The denoiser; only its mean is used.
        data: Data ``[n, *event]``; every datum is used once at every time.
        grid: Where to fit, except t = 0 and times without signal; in between the prior variance is interpolated, so twenty
            times do.
        context: Shape ``[n, *context_shape]``, if the denoiser takes one.
        assume: "error" measures the squared error of the mean only, right for any denoiser. "exact mean" trusts it to be the
            posterior mean, as Analytic-DPM does, and is more accurate near the data.
        batch_size: How many data go through the denoiser at once.
        generator: Of the noise; torch's default one if None.

    Returns:
        The spread, to be set as ``spread`` of a ``NetworkDenoiser``.

    Raises:
        ValueError: no data, no such assumption, or a wrong event shape.

    References:
        Bao, Li, Zhu, Zhang (2022). Analytic-DPM. https://arxiv.org/abs/2201.06503

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import GaussianDenoiser, TimeGrid, cosine_schedule, fit_variance
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(0.25))
        >>> spread = fit_variance(oracle, oracle.data.sample((20_000,)), TimeGrid(3))
        >>> bool((spread.log_variance.exp() / 0.25 - 1).abs().max() < 0.1)
        True
    """
    if assume not in ("error", "exact mean"):
        raise ValueError(f'`assume` must be "error" or "exact mean"; got {assume!r}.')
    if not len(data):
        raise ValueError("`data` must not be empty.")
    denoiser.check(data, context)
    levels = denoiser.schedule.level(grid.times[grid.times > 0].flip(0).to(data.device))
    levels = levels[torch.isfinite(levels.log_snr)]
    squares = [_mean_squares(denoiser, data, levels[i], context, batch_size, generator) for i in range(len(levels.t))]
    error, explained = torch.stack(squares).unbind(-1)
    if assume == "error":
        explained = 1 - levels.snr * error
    largest = float((data.max() - data.min()) / 2) ** 2
    smallest = largest * _SMALLEST
    prior_variance = (error / explained.clamp(min=_SMALLEST)).clamp(smallest, largest)
    return FittedVariance(levels.log_snr, prior_variance.log())


def _mean_squares(
    denoiser: Denoiser,
    data: Tensor,
    level: NoiseLevel,
    context: Tensor | None,
    batch_size: int,
    generator: torch.Generator | None,
) -> Tensor:
    """The mean squares of a coordinate of the error of the mean and of the predicted noise, float64, shape ``[2]``."""
    totals = torch.zeros(2, dtype=torch.float64, device=data.device)
    rank = denoiser.event_dim
    for begin in range(0, len(data), batch_size):
        x_0 = data[begin : begin + batch_size]
        eps = torch.randn(x_0.shape, dtype=x_0.dtype, device=x_0.device, generator=generator)
        x_t = over_event(level.alpha, rank, x_0) * x_0 + over_event(level.sigma, rank, x_0) * eps
        denoised = denoiser(x_t, level.t, None if context is None else context[begin : begin + batch_size])
        squares = [part.double().square().sum() for part in (x_0 - denoised.mean, denoised.eps)]
        totals = totals + torch.stack(squares)
    return totals / data.numel()
