r"""The contract of a noise schedule: a log-SNR that falls with time, and the units in which signal and noise are measured.

Time runs from 0, the data, to 1, the noise. A schedule gives :math:`\lambda(t)`, its inverse, and through its scaling
:math:`\alpha(t), \sigma(t)`. As a diffusion :math:`\mathrm dx = f x\,\mathrm dt + g\,\mathrm dw` it has

.. math:: f(t) = \frac{\mathrm d \log\alpha}{\mathrm dt}, \qquad g^2(t) = -\sigma^2(t)\, \frac{\mathrm d\lambda}{\mathrm dt},

for every scaling. Everything is computed in float64 whatever the dtype of ``t``. A discrete chain is a time grid over a
schedule.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.distributions._checks import value_checks_active
from probgen.distributions.chains.noise_level import NoiseLevel
from probgen.distributions.chains.scaling import SCALINGS, SIGNAL_SLOPES, Scaling
from probgen.distributions.chains.tables import ExactTables

__all__ = ["Schedule"]

Times = Tensor | float


class Schedule(ExactTables):
    r"""A noise schedule on continuous time (abstract).

    A subclass writes ``_log_snr``, strictly decreasing with :math:`\lambda(0) = \infty`, and ``_t_of_log_snr``, its inverse, on
    float64 tensors; and ``_dlog_snr``, the derivative, which is otherwise taken by forward-mode differentiation (right, but
    closed to ``infer.compile``).

    Args:
        scaling: Units of signal and noise: "variance preserving", "sub-variance preserving", "variance exploding", "linear".

    Raises:
        ValueError: there is no such scaling.

    References:
        Kingma, Salimans, Poole, Ho (2021). Variational diffusion models. https://arxiv.org/abs/2107.00630

    Example:
        >>> from probgen.distributions.chains import variance_preserving_schedule
        >>> schedule = variance_preserving_schedule(beta_min=0.1, beta_max=20.0)
        >>> float(schedule.alpha(1.0)), float(schedule.squared_diffusion(0.5))
        (0.0065..., 10.05...)
    """

    def __init__(self, scaling: Scaling = "variance preserving") -> None:
        super().__init__()
        if scaling not in SCALINGS:
            raise ValueError(f"`scaling` must be one of {list(SCALINGS)}; got {scaling!r}.")
        self.scaling: Scaling = scaling

    def _log_snr(self, t: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_log_snr`.")

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} does not define `_t_of_log_snr`.")

    def _dlog_snr(self, t: Tensor) -> Tensor:
        derivative: Tensor = torch.func.jvp(self._log_snr, (t,), (torch.ones_like(t),))[1]
        return derivative

    def log_snr(self, t: Times) -> Tensor:
        r"""Log signal-to-noise ratio :math:`\lambda(t)` at times ``t`` of any shape, float64.

        Raises:
            ValueError: while validating, a time outside [0, 1].
        """
        return self._log_snr(_as_times(t))

    def t_of_log_snr(self, log_snr: Times) -> Tensor:
        r"""The time at which the log-SNR is ``log_snr``, clamped to [0, 1]; any shape, float64."""
        return self._t_of_log_snr(torch.as_tensor(log_snr, dtype=torch.float64)).clamp(0.0, 1.0)

    def level(self, t: Times) -> NoiseLevel:
        """Signal and noise at the times ``t`` of any shape.

        Raises:
            ValueError: while validating, a time outside [0, 1].
        """
        t = _as_times(t)
        log_snr = self._log_snr(t)
        log_alpha, log_sigma = SCALINGS[self.scaling](log_snr)
        return NoiseLevel(t, log_snr, log_alpha.exp(), log_sigma.exp())

    def alpha(self, t: Times) -> Tensor:
        r"""Scale of the signal :math:`\alpha(t)`, float64."""
        return self.level(t).alpha

    def sigma(self, t: Times) -> Tensor:
        r"""Standard deviation of the noise :math:`\sigma(t)`, float64."""
        return self.level(t).sigma

    def dlog_snr(self, t: Times) -> Tensor:
        r"""Derivative :math:`\lambda'(t) < 0`, for times inside (0, 1), float64."""
        return self._dlog_snr(_as_times(t))

    def drift(self, t: Times) -> Tensor:
        r"""The rate :math:`f(t) = \mathrm d\log\alpha/\mathrm dt` at which the signal decays, for t inside (0, 1), float64."""
        t = _as_times(t)
        return SIGNAL_SLOPES[self.scaling](self._log_snr(t)) * self._dlog_snr(t)

    def squared_diffusion(self, t: Times) -> Tensor:
        r"""The rate :math:`g^2(t) = -\sigma^2 \lambda'(t)` at which noise is added, float64."""
        t = _as_times(t)
        return -self.sigma(t).square() * self.dlog_snr(t)


def _as_times(t: Times) -> Tensor:
    times = torch.as_tensor(t, dtype=torch.float64)
    if value_checks_active(times) and not bool(((times >= 0) & (times <= 1)).all()):
        raise ValueError(f"`t` must lie in [0, 1] (0 is the data, 1 the noise); got {times.flatten()[:3].tolist()}...")
    return times
