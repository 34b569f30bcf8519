r"""Weights over time of the squared error, all of them on the error of :math:`x_0`, so that they mean one thing for every
network.

A denoiser's error is one vector seen in several units: :math:`\|\hat\varepsilon - \varepsilon\|^2 = \mathrm{SNR}\,\|\hat x_0 -
x_0\|^2` and :math:`\|\hat v - v\|^2 = (\mathrm{SNR} + 1)\,\|\hat x_0 - x_0\|^2`. A weighting is a weight :math:`w(t)` of
:math:`\|\hat x_0 - x_0\|^2`:

================ ===================================================== =====================================================
name             :math:`w`                                             used in
================ ===================================================== =====================================================
"simple", "eps"  SNR                                                   Ho et al. 2020, :math:`L_{\mathrm{simple}}`
"x0"             1
"v"              SNR + 1                                               Salimans, Ho 2022
"truncated-snr"  max(SNR, 1)                                           Salimans, Ho 2022
"min-snr"        min(SNR, 5)                                           Hang et al. 2023
"p2"             SNR / (1 + SNR)                                       Choi et al. 2022
"edm"            SNR + 1 / data_std²                                   Karras et al. 2022
"velocity"       (1 + √SNR)²                                           flow matching on a straight path, target ε - x_0
"sigmoid"        SNR · logistic(2 - log SNR)                           Kingma, Gao 2023
"likelihood"     :math:`-\tfrac12 \lambda'(t)` SNR                     the bound in continuous time; :math:`g^2` on the score
"elbo"           :math:`\tfrac12(\mathrm{SNR}_s - \mathrm{SNR}_t)`     a chain's bound, with its other terms
================ ===================================================== =====================================================

("elbo" needs the next time s and the decoder, so it is handled by the bound itself.) All are computed as logarithms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from probgen.distributions.chains import Denoiser, NoiseLevel

__all__ = ["WEIGHTINGS", "Weighting", "min_snr", "p2", "resolve_weighting", "sigmoid_weight"]

Weighting = Callable[[Denoiser, NoiseLevel], Tensor]
"""From denoiser and noise level to the logarithm of the weight of the squared error of x_0, float64, of the level's shape."""


def min_snr(gamma: float = 5.0) -> Weighting:
    r"""The weighting :math:`\min(\mathrm{SNR}, \gamma)`; of noise errors it is :math:`\min(1, \gamma/\mathrm{SNR})`.

    Args:
        gamma: Largest weight, positive.

    Raises:
        ValueError: it is not positive.

    References:
        Hang, Gu, Li, Bao, Chen, Hu, Geng, Guo (2023). Efficient diffusion training via min-SNR weighting strategy.
        https://arxiv.org/abs/2303.09556

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import min_snr
        >>> from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
        >>> denoiser = GaussianDenoiser(cosine_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> round(float(min_snr(5.0)(denoiser, denoiser.schedule.level(0.01)).exp()), 6)
        5.0
    """
    if not gamma > 0:
        raise ValueError(f"`gamma` must be positive; got {gamma}.")
    return partial(_min_snr, math.log(gamma))


def p2(k: float = 1.0, gamma: float = 1.0) -> Weighting:
    r"""The weighting :math:`\mathrm{SNR} / (k + \mathrm{SNR})^\gamma`, which takes weight from nearly clean data.

    Args:
        k: Keeps the weight finite, positive.
        gamma: How much is taken; 0 is "simple".

    Raises:
        ValueError: ``k`` is not positive.

    References:
        Choi, Lee, Shin, Kim, Kim, Yoon (2022). Perception prioritized training of diffusion models.
        https://arxiv.org/abs/2204.00227

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import p2
        >>> from probgen.distributions.chains import GaussianDenoiser, flow_matching_schedule
        >>> denoiser = GaussianDenoiser(flow_matching_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> float(p2()(denoiser, denoiser.schedule.level(0.5)).exp())  # SNR 1
        0.5
    """
    if not k > 0:
        raise ValueError(f"`k` must be positive; got {k}.")
    return partial(_p2, math.log(k), gamma)


def sigmoid_weight(bias: float = 2.0) -> Weighting:
    r"""The weighting :math:`\mathrm{SNR}\,/(1 + e^{\lambda - b})`: that of the noise error falls with the log-SNR.

    Args:
        bias: The log-SNR b at which the weight of the noise error is one half.

    References:
        Kingma, Gao (2023). Understanding diffusion objectives as the ELBO with simple data augmentation.
        https://arxiv.org/abs/2303.00848

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import sigmoid_weight
        >>> from probgen.distributions.chains import GaussianDenoiser, flow_matching_schedule
        >>> denoiser = GaussianDenoiser(flow_matching_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> float(sigmoid_weight(0.0)(denoiser, denoiser.schedule.level(0.5)).exp())
        0.5
    """
    return partial(_sigmoid, bias)


def _min_snr(log_gamma: float, denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return level.log_snr.clamp(max=log_gamma)


def _p2(shift: float, gamma: float, denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return level.log_snr - gamma * (shift + softplus(level.log_snr - shift))


def _sigmoid(bias: float, denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return level.log_snr + logsigmoid(bias - level.log_snr)


def _eps(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return level.log_snr


def _x0(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return torch.zeros_like(level.log_snr)


def _v(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return softplus(level.log_snr)


def _truncated(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return level.log_snr.clamp(min=0.0)


def _velocity(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return 2 * softplus(level.log_snr / 2)


def _likelihood(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    no_signal = (
        level.log_snr == -torch.inf
    )  # the weight is -SNR'/2, which vanishes there; the product of its factors does not say so
    t = torch.where(no_signal, 0.5, level.t)
    log_weight = torch.log(-denoiser.schedule.dlog_snr(t) / 2) + level.log_snr
    return torch.where(no_signal, -torch.inf, log_weight)


def _edm(denoiser: Denoiser, level: NoiseLevel) -> Tensor:
    return torch.logaddexp(level.log_snr, torch.full_like(level.log_snr, -2 * math.log(getattr(denoiser, "data_std", 1.0))))


WEIGHTINGS: dict[str, Weighting] = {
    "simple": _eps,
    "eps": _eps,
    "x0": _x0,
    "v": _v,
    "truncated-snr": _truncated,
    "min-snr": min_snr(),
    "p2": p2(),
    "edm": _edm,
    "velocity": _velocity,
    "sigmoid": sigmoid_weight(),
    "likelihood": _likelihood,
}
"""Name of a weighting to the weighting."""


def resolve_weighting(weighting: str | Weighting) -> Weighting:
    """The weighting of a name, or the given function.

    Args:
        weighting: A name of ``WEIGHTINGS``, or a weighting.

    Raises:
        ValueError: there is no such name.

    Example:
        >>> from probgen.diffusion.objectives.weightings import WEIGHTINGS, resolve_weighting
        >>> resolve_weighting("simple") is WEIGHTINGS["simple"]
        True
    """
    if callable(weighting):
        return weighting
    if weighting not in WEIGHTINGS:
        raise ValueError(f'`weighting` must be "elbo", one of {list(WEIGHTINGS)}, or a function; got {weighting!r}.')
    return WEIGHTINGS[weighting]
