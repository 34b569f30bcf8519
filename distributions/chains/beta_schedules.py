r"""Schedules given by the rate :math:`\beta` at which a variance-preserving chain forgets its start.

With the attenuation :math:`B(t) = -\log\alpha^2(t)` the log-SNR is :math:`\lambda = -\log(e^{B} - 1)`, which does not cancel
near the data, and its slope :math:`\lambda' = -B' / (1 - e^{-B})`. A discrete chain :math:`\beta_1, \dots, \beta_T` has
:math:`B(i / T) = -\sum_{j \le i} \log(1 - \beta_j)` and is interpolated linearly in :math:`B`, a constant rate within each
step, so its own times :math:`i / T` are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import softplus

from probgen.distributions.chains.scaling import SCALINGS
from probgen.distributions.chains.schedule import Schedule
from probgen.distributions.chains.tables import entries

__all__ = [
    "BetaTable",
    "LinearRate",
    "linear_schedule",
    "sub_variance_preserving_schedule",
    "variance_preserving_schedule",
]


class BetaTable(Schedule):
    r"""The schedule of a discrete chain :math:`q(x_i \mid x_{i-1}) = \mathcal N(\sqrt{1 - \beta_i}\, x_{i-1}, \beta_i I)`.

    Time :math:`i / T` is step i of T, exactly; in between the rate is constant.

    Args:
        betas: The variances :math:`\beta_1, \dots, \beta_T`, each in (0, 1).

    Raises:
        ValueError: there are none, or one lies outside (0, 1).

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239

    Example:
        >>> from probgen.distributions.chains import BetaTable
        >>> schedule = BetaTable([0.1, 0.5])
        >>> round(float(schedule.alpha(1.0)) ** 2, 6)  # (1 - 0.1) (1 - 0.5)
        0.45
    """

    attenuation: Tensor

    def __init__(self, betas: Sequence[float] | Tensor) -> None:
        super().__init__("variance preserving")
        table = torch.as_tensor(betas, dtype=torch.float64)
        if table.dim() != 1 or len(table) == 0 or not bool(((table > 0) & (table < 1)).all()):
            raise ValueError(f"`betas` must be a non-empty list of variances in (0, 1); got {betas!r}.")
        attenuation = torch.cat([table.new_zeros(1), -torch.log1p(-table).cumsum(0)])
        self.register_buffer("attenuation", attenuation)

    @property
    def steps(self) -> int:
        """The number T of steps of the chain."""
        return len(self.attenuation) - 1

    def _log_snr(self, t: Tensor) -> Tensor:
        left, right, along = self._step_of(t)
        return _log_snr_of_attenuation(torch.lerp(left, right, along))

    def _dlog_snr(self, t: Tensor) -> Tensor:
        left, right, along = self._step_of(t)
        return (right - left) * self.steps / torch.expm1(-torch.lerp(left, right, along))

    def _step_of(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The attenuation at both ends of the step that a time lies in, and how far along the step it lies."""
        position = t.to(self.attenuation.device) * self.steps
        nearest = position.round()
        missed = torch.where((position - nearest).abs() < 1e-9, nearest - position, 0.0)  # i / T times T may miss i by an ulp
        position = position + missed.detach()  # detached: `round` has no slope, and the schedule does
        index = position.floor().clamp(0, self.steps - 1).long()
        return entries(self.attenuation, index), entries(self.attenuation, index + 1), position - index

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        attenuation = softplus(-log_snr).to(self.attenuation.device).contiguous()
        index = (torch.searchsorted(self.attenuation, attenuation) - 1).clamp(0, self.steps - 1)
        left, right = entries(self.attenuation, index), entries(self.attenuation, index + 1)
        return (index + (attenuation - left) / (right - left)) / self.steps


class LinearRate(Schedule):
    r"""The process :math:`\mathrm dx = -\tfrac12\beta x\,\mathrm dt + \dots` with :math:`\beta(t)` rising linearly.

    :math:`B(t) = \beta_{\min} t + \tfrac12 (\beta_{\max} - \beta_{\min}) t^2`. Variance preserving has noise
    :math:`\sigma^2 = 1 - e^{-B}`; sub-variance preserving :math:`\sigma = 1 - e^{-B}`.

    Args:
        beta_min: Rate at the data.
        beta_max: Rate at the noise.
        sub: Whether the smaller noise of the sub-variance-preserving process is used.

    Raises:
        ValueError: a rate is negative, or both are zero.

    References:
        Song, Sohl-Dickstein, Kingma, Kumar, Ermon, Poole (2021). Score-based generative modeling through stochastic
        differential equations. https://arxiv.org/abs/2011.13456

    Example:
        >>> from probgen.distributions.chains import LinearRate
        >>> schedule = LinearRate(0.1, 20.0, sub=True)
        >>> level = schedule.level(0.5)
        >>> abs(float(level.sigma - (1 - level.alpha**2))) < 1e-15
        True
    """

    def __init__(self, beta_min: float = 0.1, beta_max: float = 20.0, *, sub: bool = False) -> None:
        super().__init__("sub-variance preserving" if sub else "variance preserving")
        if not (beta_min >= 0 and beta_max >= 0 and beta_min + beta_max > 0):
            raise ValueError(f"rates must be non-negative and not both zero; got {beta_min} and {beta_max}.")
        self.beta_min = beta_min
        self.beta_max = beta_max
        self.sub = sub

    def _attenuation(self, t: Tensor) -> Tensor:
        return t * (self.beta_min + (self.beta_max - self.beta_min) * t / 2)

    def _dlog_snr(self, t: Tensor) -> Tensor:
        attenuation, rate = self._attenuation(t), self.beta_min + (self.beta_max - self.beta_min) * t
        return -rate / torch.tanh(attenuation / 2) if self.sub else rate / torch.expm1(-attenuation)

    def _log_snr(self, t: Tensor) -> Tensor:
        attenuation = self._attenuation(t)
        if self.sub:
            return -attenuation - 2 * torch.log(-torch.expm1(-attenuation))
        return _log_snr_of_attenuation(attenuation)

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        attenuation = self._sub_attenuation(log_snr) if self.sub else softplus(-log_snr)
        rise = self.beta_max - self.beta_min
        root = torch.sqrt((self.beta_min**2 + 2 * rise * attenuation).clamp(min=0.0))
        return 2 * attenuation / (self.beta_min + root)

    def _sub_attenuation(self, log_snr: Tensor) -> Tensor:
        """B from the log-SNR where the noise is 1 - exp(-B)."""
        return -2 * SCALINGS[self.scaling](log_snr)[0]


def _log_snr_of_attenuation(attenuation: Tensor) -> Tensor:
    """-log(exp(B) - 1), written so that it neither cancels at 0 nor overflows at large B."""
    return -attenuation - torch.log(-torch.expm1(-attenuation))


def linear_schedule(steps: int = 1000, beta_start: float = 1e-4, beta_end: float = 0.02) -> BetaTable:
    r"""The chain of Ho et al. (2020): :math:`\beta_1, \dots, \beta_T` equally spaced.

    Args:
        steps: Number T of steps.
        beta_start: First variance :math:`\beta_1`.
        beta_end: Last variance :math:`\beta_T`.

    Example:
        >>> from probgen.distributions.chains import linear_schedule
        >>> round(float(linear_schedule().alpha(1.0)), 5)
        0.00635
    """
    return BetaTable(torch.linspace(beta_start, beta_end, steps, dtype=torch.float64))


def variance_preserving_schedule(beta_min: float = 0.1, beta_max: float = 20.0) -> LinearRate:
    """The variance-preserving process in continuous time, the limit of the linear chain; see :class:`LinearRate`.

    Args:
        beta_min: Rate at the data.
        beta_max: Rate at the noise.

    Example:
        >>> from probgen.distributions.chains import variance_preserving_schedule
        >>> round(float(variance_preserving_schedule().alpha(1.0)), 5)
        0.00657
    """
    return LinearRate(beta_min, beta_max)


def sub_variance_preserving_schedule(beta_min: float = 0.1, beta_max: float = 20.0) -> LinearRate:
    """The sub-variance-preserving process; see :class:`LinearRate`.

    Args:
        beta_min: Rate at the data.
        beta_max: Rate at the noise.

    Example:
        >>> from probgen.distributions.chains import sub_variance_preserving_schedule
        >>> float(sub_variance_preserving_schedule().sigma(0.1)) < 0.11
        True
    """
    return LinearRate(beta_min, beta_max, sub=True)
