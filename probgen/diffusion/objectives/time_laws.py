r"""Laws of the time at which an objective looks at a diffusion model, beyond the uniform one.

A monotone coordinate of time with a normal law: :math:`t = \mathrm{logistic}(z)` is the *logit-normal* law of rectified flows
(``probgen.infer.random_times``);
:math:`\log(\sigma_t/\alpha_t) = -\lambda(t)/2 = z` is the *log-normal* law of the noise-to-signal ratio. The second is cut to
the range that the schedule reaches, so it has the density

.. math::

    p(t) = \frac{\mathcal N\bigl(-\lambda(t)/2;\, \mu, s^2\bigr)\; |\lambda'(t)|/2}{\Phi(b) - \Phi(a)}, \qquad
    a, b = \frac{-\lambda(t)/2 - \mu}{s} \text{ at } t = 0, 1 .
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.base import Distribution
from probgen.distributions.chains import Schedule

__all__ = ["LogNormalNoise"]


class LogNormalNoise(Distribution):
    r"""The law of t for which the noise-to-signal ratio :math:`\sigma_t/\alpha_t` is log-normal, cut to the schedule's range.

    On [0, 1]. Karras et al. train with :math:`\mu = -1.2, s = 1.2` at a data scale of 0.5.

    Args:
        schedule: Gives the log-SNR.
        loc: Mean :math:`\mu` of :math:`\log(\sigma_t/\alpha_t)`.
        scale: Its standard deviation :math:`s > 0`.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the scale is not positive.

    References:
        Karras, Aittala, Aila, Laine (2022). Elucidating the design space of diffusion-based generative models.
        https://arxiv.org/abs/2206.00364

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import LogNormalNoise
        >>> from probgen.distributions.chains import edm_schedule
        >>> schedule = edm_schedule()
        >>> law = LogNormalNoise(schedule)
        >>> round(float(schedule.sigma(law.icdf(torch.tensor(0.5)))), 3)  # the median: exp(-1.2)
        0.301
    """

    arg_constraints: ClassVar[dict[str, Constraint]] = {}

    def __init__(self, schedule: Schedule, loc: float = -1.2, scale: float = 1.2, *, validate_args: bool | None = None) -> None:
        if not scale > 0:
            raise ValueError(f"`scale` must be positive; got {scale}.")
        self.schedule = schedule
        self.loc = loc
        self.scale = scale
        super().__init__(validate_args=validate_args)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Constraint:
        """The unit interval."""
        return constraints.unit_interval

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """Independent copies."""
        return self._expanded(batch_shape, _instance)

    def cdf(self, value: Tensor) -> Tensor:
        """Probability of an earlier time, float64."""
        low, high = self._ends()
        below: Tensor = torch.special.ndtr(self._standardized(value))
        return (below - low) / (high - low)

    def icdf(self, value: Tensor) -> Tensor:
        """The time with a given probability below it, float64."""
        low, high = self._ends()
        z = torch.special.ndtri(torch.lerp(low, high, value.to(low)))
        return self.schedule.t_of_log_snr(-2 * (self.loc + self.scale * z))

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw times ``[*sample_shape, *batch]``, float64."""
        low, _ = self._ends()
        with torch.no_grad():
            return self.icdf(torch.rand((*sample_shape, *self.batch_shape), dtype=torch.float64, device=low.device))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density at times ``[*sample, *batch]``, float64; minus infinity outside (0, 1)."""
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        low, high = self._ends()
        outside = (value <= 0) | (value >= 1)
        t = torch.where(outside, 0.5, value.double())
        z = self._standardized(t)
        slope = torch.log(-self.schedule.dlog_snr(t) / 2)
        density = -z.square() / 2 - 0.5 * math.log(2 * math.pi) - math.log(self.scale) + slope - torch.log(high - low)
        density = torch.where(outside, -torch.inf, density)
        return density.expand(torch.broadcast_shapes(density.shape, self.batch_shape))

    def _standardized(self, t: Tensor | float) -> Tensor:
        return (-self.schedule.log_snr(t) / 2 - self.loc) / self.scale

    def _ends(self) -> tuple[Tensor, Tensor]:
        """The normal distribution function at both ends of the schedule."""
        ends = torch.special.ndtr(self._standardized(torch.tensor([0.0, 1.0], dtype=torch.float64)))
        return ends[0], ends[1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(loc={self.loc:g}, scale={self.scale:g})"
