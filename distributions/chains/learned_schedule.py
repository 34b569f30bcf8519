r"""A schedule that is learned: monotone by construction, with learned ends, and infinite log-SNR at the data.

On :math:`[\tau, 1]` the log-SNR falls from :math:`\lambda_{\max}` to :math:`\lambda_{\min}` along a learned curve. The data
themselves have no noise, which no finite network can say; so below the small time :math:`\tau` the noise-to-signal ratio
:math:`\sigma/\alpha` is proportional to time:

.. math::

    \lambda(t) = \begin{cases}
        \lambda_{\max} - (\lambda_{\max} - \lambda_{\min})\, u\bigl(\tfrac{t - \tau}{1 - \tau}\bigr) & t \ge \tau, \\
        \lambda_{\max} + 2 \log(\tau / t) & t < \tau,
    \end{cases}
    \qquad u(r) = \frac{g(r) - g(0)}{g(1) - g(0)}, \quad
    g(r) = r + \sum_k a_k\, s\bigl(b_k (r - c_k)\bigr),

with :math:`a_k, b_k > 0` and s the logistic function, so that g increases. The bound of a continuous-time chain depends on the
ends only: they are learned by its gradient, the interior by making the estimate of the bound vary less.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from probgen.distributions.chains.scaling import Scaling
from probgen.distributions.chains.schedule import Schedule
from probgen.distributions.numerics.roots import invert_increasing

__all__ = ["LearnedSchedule"]


class LearnedSchedule(Schedule):
    r"""A monotone network as log-SNR, with learned ends.

    It begins as almost a straight line in log-SNR. Gradients reach the parameters through ``level`` and everything made of it.

    Args:
        log_snr_max: Log-SNR at the time ``first``, to begin with.
        log_snr_min: Log-SNR at t = 1, to begin with.
        first: The time :math:`\tau`, below which the curve is not learned; a time grid should not go on below it but to 0.
        hidden: Number of logistic functions in the curve.
        scaling: Units of signal and noise.

    Raises:
        ValueError: the ends are in the wrong order, ``first`` lies outside (0, 1), or there is no logistic function.

    References:
        Kingma, Salimans, Poole, Ho (2021). Variational diffusion models. https://arxiv.org/abs/2107.00630

    Example:
        >>> from probgen.distributions.chains import LearnedSchedule
        >>> schedule = LearnedSchedule(log_snr_max=13.0, log_snr_min=-5.0)
        >>> [round(schedule.log_snr(t).item(), 4) for t in (0.0, 0.001, 1.0)]
        [inf, 13.0, -5.0]
        >>> schedule.log_snr(0.3).requires_grad
        True
    """

    def __init__(
        self,
        log_snr_max: float = 13.3,
        log_snr_min: float = -5.0,
        *,
        first: float = 1e-3,
        hidden: int = 16,
        scaling: Scaling = "variance preserving",
    ) -> None:
        super().__init__(scaling)
        if not log_snr_min < log_snr_max:
            raise ValueError(f"`log_snr_min` must lie below `log_snr_max`; got {log_snr_min} and {log_snr_max}.")
        if not 0 < first < 1:
            raise ValueError(f"`first` must lie in (0, 1); got {first}.")
        if hidden < 1:
            raise ValueError(f"`hidden` must be at least 1; got {hidden}.")
        self.first = first
        self.end = nn.Parameter(torch.tensor(float(log_snr_min)))
        self.log_range = nn.Parameter(torch.tensor(math.log(log_snr_max - log_snr_min)))
        self.raw_height = nn.Parameter(torch.full((hidden,), -4.0))
        self.raw_steepness = nn.Parameter(torch.full((hidden,), float(hidden)))
        self.center = nn.Parameter((torch.arange(hidden) + 0.5) / hidden)

    def end_parameters(self) -> list[nn.Parameter]:
        """The parameters of the ends, which the bound determines."""
        return [self.end, self.log_range]

    def interior_parameters(self) -> list[nn.Parameter]:
        """The parameters of the curve between the ends, on which the bound in continuous time does not depend."""
        return [self.raw_height, self.raw_steepness, self.center]

    def _log_snr(self, t: Tensor) -> Tensor:
        end, width = self._ends()
        t = t.to(end.device)
        fall = self._progress((t.clamp(min=self.first) - self.first) / (1 - self.first))[0]
        return end + width * (1 - fall) + 2 * torch.log(self.first / t.clamp(max=self.first))

    def _dlog_snr(self, t: Tensor) -> Tensor:
        _, width = self._ends()
        t = t.to(width.device)
        log_slope = self._progress((t.clamp(min=self.first) - self.first) / (1 - self.first))[1]
        learned = -width * log_slope.exp() / (1 - self.first)
        return torch.where(t < self.first, -2 / t.clamp(max=self.first), learned)  # at `first`, the slope toward the noise

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        end, width = self._ends()
        log_snr = log_snr.to(end.device)
        fall = ((end + width - log_snr) / width).clamp(0.0, 1.0)
        position, _ = invert_increasing(self._progress, fall, bounds=(torch.zeros_like(fall), torch.ones_like(fall)))
        above = (log_snr - end - width).clamp(min=0.0)
        return torch.where(above > 0, self.first * torch.exp(-above / 2), self.first + (1 - self.first) * position)

    def _ends(self) -> tuple[Tensor, Tensor]:
        r"""The last log-SNR :math:`\lambda_{\min}` and the range :math:`\lambda_{\max} - \lambda_{\min}`, float64."""
        return self.end.double(), self.log_range.double().exp()

    def _progress(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """The curve u, from 0 at 0 to 1 at 1, and the logarithm of its derivative."""
        start, stop = self._curve(torch.zeros_like(position)), self._curve(torch.ones_like(position))
        value, total = self._curve(position) - start, stop - start
        return value / total, torch.log(self._slope(position) / total)

    def _curve(self, position: Tensor) -> Tensor:
        height, steepness, center = self._shape()
        return position + (height * torch.sigmoid(steepness * (position.unsqueeze(-1) - center))).sum(-1)

    def _slope(self, position: Tensor) -> Tensor:
        height, steepness, center = self._shape()
        angle = steepness * (position.unsqueeze(-1) - center)
        return 1 + (height * steepness * torch.sigmoid(angle) * torch.sigmoid(-angle)).sum(-1)

    def _shape(self) -> tuple[Tensor, Tensor, Tensor]:
        """Heights, steepnesses and centers of the logistic functions, float64."""
        return softplus(self.raw_height.double()), softplus(self.raw_steepness.double()), self.center.double()
