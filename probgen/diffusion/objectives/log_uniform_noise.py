r"""The law of the time under which the noise-to-signal ratio is log-uniform: equal shares for equal steps of log-SNR.

On :math:`[t_{\min}, t_{\max}]` it has the density

.. math:: p(t) = \frac{-\lambda'(t)}{\lambda(t_{\min}) - \lambda(t_{\max})} .

The integrand of the continuous bound is :math:`\tfrac12 \mathbb E\|\hat\varepsilon - \varepsilon\|^2` per unit of
:math:`\lambda`, between zero and half the dimension wherever a network is any good, so these times give a bound of small
variance for any schedule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.base import Distribution
from probgen.distributions.chains import Schedule

__all__ = ["LogUniformNoise"]


class LogUniformNoise(Distribution):
    r"""The law of t for which :math:`\log(\sigma_t/\alpha_t)`, and so the log-SNR, is uniform; on an interval of times.

    Args:
        schedule: Gives the log-SNR.
        low: The time nearest to the data.
        high: The time nearest to the noise.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the interval is empty or not inside [0, 1], or the log-SNR is infinite at one of its ends.

    References:
        Kingma, Salimans, Poole, Ho (2021). Variational diffusion models, appendix I. https://arxiv.org/abs/2107.00630

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import LogUniformNoise
        >>> from probgen.distributions.chains import cosine_schedule
        >>> schedule = cosine_schedule()
        >>> law = LogUniformNoise(schedule, low=0.1, high=0.9)
        >>> t = law.icdf(torch.tensor([0.0, 0.5, 1.0]))
        >>> bool(schedule.log_snr(t).diff().diff().abs() < 1e-9)  # equal steps of log-SNR
        True
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}

    def __init__(self, schedule: Schedule, low: float, high: float, *, validate_args: bool | None = None) -> None:
        if not 0 <= low < high <= 1:
            raise ValueError(f"`low` and `high` must satisfy 0 <= low < high <= 1; got {low} and {high}.")
        ends = [schedule.log_snr(time).item() for time in (low, high)]
        if not all(abs(end) < float("inf") for end in ends):
            raise ValueError(f"the log-SNR must be finite at `low` and `high`; it is {ends[0]:g} and {ends[1]:g}.")
        self.schedule = schedule
        self.low = low
        self.high = high
        super().__init__(validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Constraint:
        """The interval."""
        return constraints.interval(self.low, self.high)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """Independent copies."""
        return self._expanded(batch_shape, _instance)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of an earlier time, float64."""
        largest, smallest = self._ends()
        return (largest - self.schedule.log_snr(value)) / (largest - smallest)

    def icdf(self, value: Tensor) -> Tensor:
        """The time with a given probability below it, float64."""
        largest, smallest = self._ends()
        return self.schedule.t_of_log_snr(torch.lerp(largest, smallest, value.to(largest))).clamp(self.low, self.high)

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw times ``[*sample_shape, *batch]``, float64."""
        largest, _ = self._ends()
        with torch.no_grad():
            return self.icdf(torch.rand((*sample_shape, *self.batch_shape), dtype=torch.float64, device=largest.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density at times ``[*sample, *batch]`` float64; minus infinity outside the interval."""
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        largest, smallest = self._ends()
        outside = (value < self.low) | (value > self.high)
        t = torch.where(outside, (self.low + self.high) / 2, value.double())
        density = torch.log(-self.schedule.dlog_snr(t)) - torch.log(largest - smallest)
        density = torch.where(outside, -torch.inf, density)
        return density.expand(torch.broadcast_shapes(density.shape, self.batch_shape))

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The log-SNR at both ends, the larger first."""
        ends = self.schedule.log_snr(torch.tensor([self.low, self.high], dtype=torch.float64))
        return ends[0], ends[1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(low={self.low:g}, high={self.high:g})"
