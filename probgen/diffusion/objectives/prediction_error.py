r"""The error of a denoiser in the coordinates in which its network speaks.

With :math:`\hat x_0 = c_{\mathrm{skip}} x_t + c_{\mathrm{out}} F` and :math:`x_t = \alpha x_0 + \sigma\varepsilon`, the
prediction that would be right is

.. math::

    F^* = \frac{1 - c_{\mathrm{skip}}\alpha}{c_{\mathrm{out}}}\, x_0
    - \frac{c_{\mathrm{skip}}\sigma}{c_{\mathrm{out}}}\, \varepsilon, \qquad \hat x_0 - x_0 = c_{\mathrm{out}} (F - F^*) .

Near the data :math:`\hat x_0 - x_0` is tiny and its weight huge. Here the coefficients are combined in float64 and the two
tensors of order one are subtracted, so neither happens: the weight of :math:`\|F - F^*\|^2` is :math:`w\, c_{\mathrm{out}}^2`.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event

__all__ = ["PredictionError", "noised", "prediction_error"]


class PredictionError(NamedTuple):
    r"""What a network got wrong.

    Attributes:
        error: :math:`F - F^*`, shape ``[*batch, *event]``.
        scale: :math:`c_{\mathrm{out}}`, shape of the level, float64; times the error it is :math:`\hat x_0 - x_0`.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.prediction_error import PredictionError
        >>> PredictionError(torch.zeros(2, 3), torch.ones(2)).scale.shape
        torch.Size([2])
    """

    error: Tensor
    scale: Tensor


def noised(x_0: Tensor, noise: Tensor, level: NoiseLevel, event_dim: int) -> Tensor:
    r"""The noisy data :math:`x_t = \alpha x_0 + \sigma\varepsilon`.

    Args:
        x_0: Data ``[*batch, *event]``.
        noise: Standard normal noise of the same shape.
        level: Broadcasts with the batch.
        event_dim: Number of event dimensions.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.prediction_error import noised
        >>> from probgen.distributions.chains import variance_exploding_schedule
        >>> noised(torch.ones(1), torch.zeros(1), variance_exploding_schedule().level(0.5), 1)
        tensor([1.])
    """
    return over_event(level.alpha, event_dim, x_0) * x_0 + over_event(level.sigma, event_dim, x_0) * noise


def prediction_error(denoiser: Denoiser, prediction: Tensor, x_0: Tensor, noise: Tensor, level: NoiseLevel) -> PredictionError:
    """Compare a prediction with the one that would be right.

    Args:
        denoiser: Gives the coefficients.
        prediction: What it predicted at the noisy data, ``[*batch, *event]``.
        x_0: Data ``[*batch, *event]``.
        noise: The noise that was added, same shape.
        level: The noise level, broadcasting with the batch.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.prediction_error import prediction_error
        >>> from probgen.distributions.chains import NetworkDenoiser, cosine_schedule
        >>> denoiser = NetworkDenoiser(torch.nn.Identity(), cosine_schedule(), (1,), parameterization="eps")
        >>> x, noise = torch.ones(1, 1), torch.full((1, 1), 0.5)
        >>> prediction_error(denoiser, torch.zeros(1, 1), x, noise, denoiser.schedule.level(0.3)).error.item()
        -0.5
    """
    skip, out = denoiser.coefficients(level)
    of_data = over_event((1 - skip * level.alpha) / out, denoiser.event_dim, x_0)
    of_noise = over_event(-skip * level.sigma / out, denoiser.event_dim, x_0)
    return PredictionError(prediction - of_data * x_0 - of_noise * noise, out)
