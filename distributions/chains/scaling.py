r"""How a log-SNR is divided into a scale of signal and a standard deviation of noise.

The log-SNR :math:`\lambda` fixes the information in :math:`x_t`; the scaling fixes its units:

=========================== =========================== ===========================
scaling                     :math:`\alpha`              :math:`\sigma`
=========================== =========================== ===========================
variance preserving         :math:`\sqrt{s(\lambda)}`   :math:`\sqrt{s(-\lambda)}`
sub-variance preserving     :math:`\sqrt{1 - \sigma}`   :math:`2 / (1 + \sqrt{1 + 4 e^\lambda})`
variance exploding          1                           :math:`e^{-\lambda/2}`
linear (flow matching)      :math:`s(\lambda / 2)`      :math:`s(-\lambda / 2)`
=========================== =========================== ===========================

where :math:`s` is the logistic function. Each function of ``SCALINGS`` returns :math:`\log\alpha` and :math:`\log\sigma`,
finite wherever they are and right in the limits :math:`\lambda = \pm\infty`; those of ``SIGNAL_SLOPES`` the share
:math:`\mathrm d\log\alpha / \mathrm d\lambda` of a change that the signal bears, which is :math:`\sigma^2 / 2`,
:math:`\sigma / (4 - 2\sigma)`, 0 and :math:`\sigma / 2` in the order of the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

__all__ = ["SCALINGS", "SIGNAL_SLOPES", "Scaling"]

Scaling = Literal["variance preserving", "sub-variance preserving", "variance exploding", "linear"]
"""How signal and noise are scaled for a given log-SNR."""


def _variance_preserving(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    return logsigmoid(log_snr) / 2, logsigmoid(-log_snr) / 2


def _sub_variance_preserving(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    low = log_snr.clamp(max=0.0)
    high = log_snr.clamp(min=0.0)
    root_low = torch.sqrt(1 + 4 * low.exp())
    root_high = torch.sqrt(1 + 4 * high.exp())
    log_signal_low = math.log(4.0) + low - 2 * torch.log1p(root_low)
    log_signal_high = torch.log1p(-2 / (1 + root_high))
    log_sigma_low = math.log(2.0) - torch.log1p(root_low)
    log_sigma_high = math.log(2.0) - torch.log1p(root_high)
    positive = log_snr > 0
    return (
        torch.where(positive, log_signal_high, log_signal_low) / 2,
        torch.where(positive, log_sigma_high, log_sigma_low),
    )


def _variance_exploding(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    return torch.zeros_like(log_snr), -log_snr / 2


def _linear(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    return logsigmoid(log_snr / 2), logsigmoid(-log_snr / 2)


SCALINGS: dict[Scaling, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "variance preserving": _variance_preserving,
    "sub-variance preserving": _sub_variance_preserving,
    "variance exploding": _variance_exploding,
    "linear": _linear,
}
"""Name of a scaling to the function from log-SNR to log alpha and log sigma."""


def _variance_preserving_slope(log_snr: Tensor) -> Tensor:
    return torch.sigmoid(-log_snr) / 2


def _sub_variance_preserving_slope(log_snr: Tensor) -> Tensor:
    sigma = _sub_variance_preserving(log_snr)[1].exp()
    return sigma / (4 - 2 * sigma)


def _linear_slope(log_snr: Tensor) -> Tensor:
    return torch.sigmoid(-log_snr / 2) / 2


SIGNAL_SLOPES: dict[Scaling, Callable[[Tensor], Tensor]] = {
    "variance preserving": _variance_preserving_slope,
    "sub-variance preserving": _sub_variance_preserving_slope,
    "variance exploding": torch.zeros_like,
    "linear": _linear_slope,
}
"""Name of a scaling to the derivative of log alpha by log-SNR."""
