r"""The scale of signal and noise at one time, and every coefficient of the Gaussian forward process that follows from two.

With :math:`x_t = \alpha_t x_0 + \sigma_t \varepsilon` and the log signal-to-noise ratio
:math:`\lambda_t = \log(\alpha_t^2 / \sigma_t^2)`, for :math:`s < t`

.. math::

    q(x_t \mid x_s) &= \mathcal N\bigl(a\, x_s,\; v\, I\bigr), \qquad
        a = \alpha_t / \alpha_s, \quad v = \sigma_t^2\, \bigl(1 - e^{\lambda_t - \lambda_s}\bigr), \\
    q(x_s \mid x_t, x_0) &= \mathcal N\bigl(c_0\, x_0 + c_t\, x_t,\; \tilde v\, I\bigr), \qquad
        c_0 = \alpha_s \bigl(1 - e^{\lambda_t - \lambda_s}\bigr), \quad
        c_t = \tfrac{\sigma_s}{\sigma_t}\, e^{(\lambda_t - \lambda_s)/2}, \quad
        \tilde v = \sigma_s^2\, \bigl(1 - e^{\lambda_t - \lambda_s}\bigr).

All differences are taken by ``expm1`` of log-SNR in float64 and rounded once. The limits :math:`\lambda_s = \infty` (the data)
and :math:`\lambda_t = -\infty` (no signal left) are exact; ``docs/derivations/diffusion-posterior.md`` has the derivation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from probgen.distributions._checks import values_readable

__all__ = ["NoiseLevel", "PosteriorCoefficients", "TransitionCoefficients", "posterior_coefficients", "transition_coefficients"]


@dataclass(frozen=True)
class NoiseLevel:
    r"""Signal and noise at the times ``t``, all tensors of one shape in float64.

    Attributes:
        t: Times in [0, 1].
        log_snr: :math:`\lambda_t`, possibly infinite at the ends.
        alpha: Scale of the signal :math:`\alpha_t`.
        sigma: Standard deviation of the noise :math:`\sigma_t`.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import cosine_schedule
        >>> level = cosine_schedule().level(0.5)
        >>> round(float(level.alpha), 3), round(float(level.sigma), 3)
        (0.703, 0.711)
    """

    t: Tensor
    log_snr: Tensor
    alpha: Tensor
    sigma: Tensor

    def __getitem__(self, index: object) -> NoiseLevel:
        """The levels at some of the times."""
        return NoiseLevel(*(getattr(self, name)[index] for name in ("t", "log_snr", "alpha", "sigma")))

    @property
    def snr(self) -> Tensor:
        r"""Signal-to-noise ratio :math:`\alpha_t^2 / \sigma_t^2`."""
        return self.log_snr.exp()

    @property
    def lacks_signal(self) -> bool:
        r"""Whether some :math:`\alpha_t` is known to be zero; False where that cannot be read without waiting for a device."""
        return values_readable(self.alpha) and self.alpha.device.type == "cpu" and not bool((self.alpha > 0).all())


class TransitionCoefficients(NamedTuple):
    r"""Of :math:`q(x_t \mid x_s) = \mathcal N(\mathrm{scale}\; x_s, \mathrm{variance}\, I)`, float64.

    Example:
        >>> from probgen.distributions.chains import linear_schedule, transition_coefficients
        >>> schedule = linear_schedule(1000)
        >>> c = transition_coefficients(schedule.level(0.0), schedule.level(0.001))
        >>> round(float(c.variance), 10)  # beta_1
        0.0001
    """

    scale: Tensor
    variance: Tensor


class PosteriorCoefficients(NamedTuple):
    r"""Of :math:`q(x_s \mid x_t, x_0) = \mathcal N(\mathrm{data}\, x_0 + \mathrm{noisy}\, x_t,\ \mathrm{variance})`, float64.

    Example:
        >>> from probgen.distributions.chains import linear_schedule, posterior_coefficients
        >>> schedule = linear_schedule(1000)
        >>> tuple(map(float, posterior_coefficients(schedule.level(0.0), schedule.level(0.001))))
        (1.0, 0.0, 0.0)
    """

    data: Tensor
    noisy: Tensor
    variance: Tensor


def transition_coefficients(s: NoiseLevel, t: NoiseLevel) -> TransitionCoefficients:
    r"""Coefficients of :math:`q(x_t \mid x_s)`; NaN where both levels are without signal, :math:`\alpha_s = \alpha_t = 0`.

    Args:
        s: Levels nearer to the data, of any shape.
        t: Levels nearer to the noise; shapes broadcast.

    Example:
        >>> from probgen.distributions.chains import variance_exploding_schedule, transition_coefficients
        >>> schedule = variance_exploding_schedule()
        >>> float(transition_coefficients(schedule.level(0.2), schedule.level(0.7)).scale)
        1.0
    """
    lost = _lost_signal(s, t)
    return TransitionCoefficients(t.alpha / s.alpha, t.sigma.square() * lost)


def posterior_coefficients(s: NoiseLevel, t: NoiseLevel) -> PosteriorCoefficients:
    r"""Coefficients of :math:`q(x_s \mid x_t, x_0)`; NaN where both levels are without signal.

    Args:
        s: Levels nearer to the data, of any shape.
        t: Levels nearer to the noise; shapes broadcast.

    Example:
        >>> from probgen.distributions.chains import linear_schedule, posterior_coefficients
        >>> schedule = linear_schedule(1000)
        >>> c = posterior_coefficients(schedule.level(0.001), schedule.level(0.002))
        >>> round(float(c.variance) / (1e-4 + 0.0199 / 999), 4)  # the ratio of posterior variance and beta_2
        0.4547
    """
    lost = _lost_signal(s, t)
    kept = torch.exp((t.log_snr - s.log_snr) / 2)
    return PosteriorCoefficients(s.alpha * lost, s.sigma / t.sigma * kept, s.sigma.square() * lost)


def _lost_signal(s: NoiseLevel, t: NoiseLevel) -> Tensor:
    r"""The fraction :math:`1 - \mathrm{SNR}_t / \mathrm{SNR}_s` of the signal-to-noise ratio that is lost from s to t."""
    return -torch.expm1(t.log_snr - s.log_snr)
