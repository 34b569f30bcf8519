r"""Schedules given by the noise itself: variance exploding, EDM's power of time, and the straight paths of flow matching."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.chains.schedule import Schedule

__all__ = [
    "GeometricNoise",
    "PowerNoise",
    "StraightPath",
    "edm_schedule",
    "flow_matching_schedule",
    "variance_exploding_schedule",
]


class GeometricNoise(Schedule):
    r"""Variance exploding: :math:`\alpha = 1`, :math:`\sigma^2(t) = \sigma_{\min}^2 ((\sigma_{\max}/\sigma_{\min})^{2t} - 1)`.

    The marginal of :math:`\mathrm dx = g\,\mathrm dw` with a geometrically growing rate, started at the data itself.

    Args:
        sigma_min: The scale at which noise grows near the data.
        sigma_max: The noise at t = 1 (up to a factor of :math:`\sqrt{1 - (\sigma_{\min} / \sigma_{\max})^2}`).

    Raises:
        ValueError: not 0 < sigma_min < sigma_max.

    References:
        Song, Ermon (2019). Generative modeling by estimating gradients of the data distribution. https://arxiv.org/abs/1907.05600

    Example:
        >>> from probgen.distributions.chains import GeometricNoise
        >>> float(GeometricNoise(0.01, 50.0).sigma(1.0))
        49.9999...
    """

    def __init__(self, sigma_min: float = 0.01, sigma_max: float = 50.0) -> None:
        super().__init__("variance exploding")
        if not 0 < sigma_min < sigma_max:
            raise ValueError(f"0 < `sigma_min` < `sigma_max` must hold; got {sigma_min} and {sigma_max}.")
        self.sigma_min = sigma_min
        self.sigma_max = sigma_max

    def _log_snr(self, t: Tensor) -> Tensor:
        growth = 2 * math.log(self.sigma_max / self.sigma_min)
        return -2 * math.log(self.sigma_min) - torch.log(torch.expm1(growth * t))

    def _dlog_snr(self, t: Tensor) -> Tensor:
        growth = 2 * math.log(self.sigma_max / self.sigma_min)
        return growth / torch.expm1(-growth * t)

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        growth = 2 * math.log(self.sigma_max / self.sigma_min)
        return torch.log1p(torch.exp(-log_snr) / self.sigma_min**2) / growth


class PowerNoise(Schedule):
    r"""Karras et al.'s noise :math:`\sigma(t) = \sigma_{\max}\, t^{\rho}` with :math:`\alpha = 1`.

    A grid that is uniform in t has steps that shrink toward the data as theirs do; their own grid is ``TimeGrid.rho``.

    Args:
        sigma_max: The noise at t = 1.
        exponent: The power :math:`\rho`.

    Raises:
        ValueError: an argument is not positive.

    References:
        Karras, Aittala, Aila, Laine (2022). Elucidating the design space of diffusion-based generative models.
        https://arxiv.org/abs/2206.00364

    Example:
        >>> from probgen.distributions.chains import PowerNoise
        >>> float(PowerNoise(80.0, exponent=7.0).sigma(0.5))
        0.625
    """

    def __init__(self, sigma_max: float = 80.0, exponent: float = 7.0) -> None:
        super().__init__("variance exploding")
        if not sigma_max > 0 or not exponent > 0:
            raise ValueError(f"`sigma_max` and `exponent` must be positive; got {sigma_max} and {exponent}.")
        self.sigma_max = sigma_max
        self.exponent = exponent

    def _log_snr(self, t: Tensor) -> Tensor:
        return -2 * (math.log(self.sigma_max) + self.exponent * torch.log(t))

    def _dlog_snr(self, t: Tensor) -> Tensor:
        return -2 * self.exponent / t

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        return torch.exp((-log_snr / 2 - math.log(self.sigma_max)) / self.exponent)


class StraightPath(Schedule):
    r"""The straight path :math:`x_t = (1 - t)\, x_0 + t\, \varepsilon` of flow matching.

    Its log-SNR is :math:`2 \log\frac{1 - t}{t}`; at t = 1 no signal is left.

    References:
        Lipman, Chen, Ben-Hamu, Nickel, Le (2023). Flow matching for generative modeling. https://arxiv.org/abs/2210.02747
        Liu, Gong, Liu (2023). Flow straight and fast. https://arxiv.org/abs/2209.03003

    Example:
        >>> from probgen.distributions.chains import StraightPath
        >>> round(float(StraightPath().alpha(0.25)), 6), round(float(StraightPath().sigma(0.25)), 6)
        (0.75, 0.25)
    """

    def __init__(self) -> None:
        super().__init__("linear")

    def _log_snr(self, t: Tensor) -> Tensor:
        return 2 * (torch.log1p(-t) - torch.log(t))

    def _dlog_snr(self, t: Tensor) -> Tensor:
        return -2 / (t * (1 - t))

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        return torch.sigmoid(-log_snr / 2)


def variance_exploding_schedule(sigma_min: float = 0.01, sigma_max: float = 50.0) -> GeometricNoise:
    """The variance-exploding process; see :class:`GeometricNoise`.

    Args:
        sigma_min: The scale at which noise grows near the data.
        sigma_max: The noise at t = 1.

    Example:
        >>> from probgen.distributions.chains import variance_exploding_schedule
        >>> float(variance_exploding_schedule().alpha(0.7))
        1.0
    """
    return GeometricNoise(sigma_min, sigma_max)


def edm_schedule(sigma_max: float = 80.0, exponent: float = 7.0) -> PowerNoise:
    """The noise of Karras et al. (2022); see :class:`PowerNoise`.

    Args:
        sigma_max: The noise at t = 1.
        exponent: The power of time.

    Example:
        >>> from probgen.distributions.chains import edm_schedule
        >>> round(float(edm_schedule().sigma(1.0)), 6)
        80.0
    """
    return PowerNoise(sigma_max, exponent)


def flow_matching_schedule() -> StraightPath:
    """The straight path from data to noise; see :class:`StraightPath`.

    Example:
        >>> from probgen.distributions.chains import flow_matching_schedule
        >>> round(float(flow_matching_schedule().log_snr(0.5)), 6)
        0.0
    """
    return StraightPath()
