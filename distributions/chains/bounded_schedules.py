r"""Schedules whose signal falls along a squashed curve: the cosine and the sigmoid.

Both reach :math:`\alpha = 0` at t = 1 in their published form. There the noise cannot be turned into data by predicting it, so
by default time is rescaled to end at a finite ``terminal_log_snr``; ``None`` keeps zero terminal signal-to-noise ratio.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from probgen.distributions.chains.schedule import Schedule

__all__ = ["CosineSchedule", "SigmoidSchedule", "cosine_schedule", "sigmoid_schedule"]


class CosineSchedule(Schedule):
    r"""The squared-cosine schedule.

    .. math::

        \alpha(t) = \cos\Bigl(\frac\pi2\, \frac{u + s}{1 + s}\Bigr) \Big/ \cos\Bigl(\frac\pi2\, \frac{s}{1 + s}\Bigr)

    and :math:`\sigma^2 = 1 - \alpha^2`, where :math:`u = t\, u_{\max}` with :math:`u_{\max}` such that the log-SNR ends at
    ``terminal_log_snr``.

    Args:
        offset: The small s that keeps the first steps from being too small.
        terminal_log_snr: The log-SNR at t = 1; None ends without any signal.

    Raises:
        ValueError: the offset is negative.

    References:
        Nichol, Dhariwal (2021). Improved denoising diffusion probabilistic models. https://arxiv.org/abs/2102.09672
        Lin, Liu, Li, Yang (2024). Common diffusion noise schedules and sample steps are flawed. https://arxiv.org/abs/2305.08891

    Example:
        >>> from probgen.distributions.chains import CosineSchedule
        >>> round(float(CosineSchedule().log_snr(1.0)), 6), float(CosineSchedule(terminal_log_snr=None).alpha(1.0))
        (-20.0, 0.0)
    """

    def __init__(self, offset: float = 0.008, terminal_log_snr: float | None = -20.0) -> None:
        super().__init__("variance preserving")
        if offset < 0:
            raise ValueError(f"`offset` must be at least 0; got {offset}.")
        self.offset = offset
        self.terminal_log_snr = terminal_log_snr
        self._end = 1.0
        if terminal_log_snr is not None:
            self._end = float(self._t_of_log_snr(torch.tensor(terminal_log_snr, dtype=torch.float64)))

    def _angles(self) -> tuple[float, float]:
        """The angle at the data, and how much it grows until no signal is left."""
        start = math.pi / 2 * self.offset / (1 + self.offset)
        return start, math.pi / 2 / (1 + self.offset)

    def _signal(self, t: Tensor) -> tuple[Tensor, Tensor]:
        r"""The signal's scale :math:`\alpha` and :math:`1 - \alpha`, neither as a difference."""
        start, width = self._angles()
        angle = t * self._end * width
        lost = torch.sin(angle / 2) * torch.sin(angle / 2 + start) * 2 / math.cos(start)
        return torch.sin((1 - t * self._end) * width) / math.cos(start), lost

    def _dlog_snr(self, t: Tensor) -> Tensor:
        start, width = self._angles()
        alpha, lost = self._signal(t)
        fall = torch.cos((1 - t * self._end) * width) * (self._end * width / math.cos(start))
        return -2 * fall / (alpha * lost * (1 + alpha))

    def _log_snr(self, t: Tensor) -> Tensor:
        alpha, lost = self._signal(t)
        return 2 * torch.log(alpha) - torch.log(lost) - torch.log1p(alpha)

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        start, width = self._angles()
        alpha = torch.exp(torch.nn.functional.logsigmoid(log_snr) / 2)
        lost = torch.sigmoid(-log_snr) / (1 + alpha)  # 1 - alpha
        near_data = _angle_of_lost(lost.clamp(max=0.5), start)
        near_noise = width - torch.asin(alpha.clamp(max=0.5) * math.cos(start))
        return torch.where(lost < 0.5, near_data, near_noise) / width / self._end


def _angle_of_lost(lost: Tensor, start: float) -> Tensor:
    """Solve cos(start + a) = (1 - lost) cos(start) for a without cancellation: tan(a/2) solves a quadratic."""
    b = math.tan(start)
    half = lost / (b + torch.sqrt(b**2 + lost * (2 - lost)))
    return 2 * torch.atan(half)


class SigmoidSchedule(Schedule):
    r"""The sigmoid schedule :math:`\alpha^2(t) = \dfrac{s(b) - s(a + u(b - a))}{s(b) - s(a)}`, s the logistic function.

    :math:`u = t\, u_{\max}`, with :math:`u_{\max}` such that the log-SNR ends at ``terminal_log_snr``.

    Args:
        start: Argument a at the data.
        end: Argument b at the noise, above ``start``.
        temperature: Divides both.
        terminal_log_snr: The log-SNR at t = 1; None ends without any signal.

    Raises:
        ValueError: ``end`` is not above ``start``, or the temperature is not positive.

    References:
        Jabri, Fleet, Chen (2022). Scalable adaptive computation for iterative generation. https://arxiv.org/abs/2212.11972
        Chen (2023). On the importance of noise scheduling for diffusion models. https://arxiv.org/abs/2301.10972

    Example:
        >>> from probgen.distributions.chains import SigmoidSchedule
        >>> round(float(SigmoidSchedule(terminal_log_snr=None).alpha(0.5)) ** 2, 6)
        0.5
    """

    def __init__(
        self, start: float = -3.0, end: float = 3.0, temperature: float = 1.0, terminal_log_snr: float | None = -20.0
    ) -> None:
        super().__init__("variance preserving")
        if not end > start or not temperature > 0:
            raise ValueError(f"`end` must lie above `start` and `temperature` above 0; got {start}, {end}, {temperature}.")
        self.start = start
        self.end = end
        self.temperature = temperature
        self.terminal_log_snr = terminal_log_snr
        self._end = 1.0
        if terminal_log_snr is not None:
            self._end = float(self._t_of_log_snr(torch.tensor(terminal_log_snr, dtype=torch.float64)))

    def _shares(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """How far the logistic function still rises, and how far it has risen, in its own units."""
        low, width = self.start / self.temperature, (self.end - self.start) / self.temperature
        u = t * self._end
        return _logistic_rise(low + u * width, (1 - u) * width), _logistic_rise(torch.full_like(u, low), u * width)

    def _log_snr(self, t: Tensor) -> Tensor:
        kept, lost = self._shares(t)
        return torch.log(kept) - torch.log(lost)

    def _dlog_snr(self, t: Tensor) -> Tensor:
        kept, lost = self._shares(t)
        low, rate = self.start / self.temperature, (self.end - self.start) / self.temperature * self._end
        place = low + t * rate
        return -rate * torch.sigmoid(place) * torch.sigmoid(-place) * (1 / kept + 1 / lost)

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        low, high = self.start / self.temperature, self.end / self.temperature
        total = 1 / (1 + math.exp(-high)) - 1 / (1 + math.exp(-low))
        rise = torch.sigmoid(-log_snr) * total
        return _inverse_rise(low, rise) / (high - low) / self._end


def _logistic_rise(start: Tensor, width: Tensor) -> Tensor:
    """s(start + width) - s(start) = s(start) s(-start - width) (exp(width) - 1) without cancellation."""
    return torch.sigmoid(start) * torch.sigmoid(-start - width) * torch.expm1(width)


def _inverse_rise(start: float, rise: Tensor) -> Tensor:
    """The width over which the logistic function rises by ``rise`` from ``start``."""
    level = 1 / (1 + math.exp(-start))
    above = 1 / (1 + math.exp(start))
    return torch.log1p(rise / level) - torch.log1p(-rise / above)


def cosine_schedule(offset: float = 0.008, terminal_log_snr: float | None = -20.0) -> CosineSchedule:
    """The squared-cosine schedule; see :class:`CosineSchedule`.

    Args:
        offset: The small s that keeps the first steps from being too small.
        terminal_log_snr: The log-SNR at t = 1; None ends without any signal.

    Example:
        >>> from probgen.distributions.chains import cosine_schedule
        >>> float(cosine_schedule().alpha(0.0))
        1.0
    """
    return CosineSchedule(offset, terminal_log_snr)


def sigmoid_schedule(
    start: float = -3.0, end: float = 3.0, temperature: float = 1.0, terminal_log_snr: float | None = -20.0
) -> SigmoidSchedule:
    """The sigmoid schedule; see :class:`SigmoidSchedule`.

    Args:
        start: Argument of the logistic function at the data.
        end: Argument of the logistic function at the noise.
        temperature: Divides both.
        terminal_log_snr: The log-SNR at t = 1; None ends without any signal.

    Example:
        >>> from probgen.distributions.chains import sigmoid_schedule
        >>> float(sigmoid_schedule().alpha(0.0))
        1.0
    """
    return SigmoidSchedule(start, end, temperature, terminal_log_snr)
