r"""The schedule whose keep probability falls linearly: :math:`\kappa(t) = 1 - t`, so :math:`\lambda(t) = \log\frac{1 - t}{t}`.

On N equal steps it is D3PM's :math:`\beta_i = 1 / (N - i + 1)`: of what is still there, each step takes an equal share of the
whole, and at t = 1 nothing is left. It was chosen so that the mutual information between data and state falls linearly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from probgen.distributions.chains.schedule import Schedule

__all__ = ["LinearKeep", "linear_keep_schedule"]


class LinearKeep(Schedule):
    r"""The schedule with :math:`\mathrm{SNR}(t) = (1 - t) / t`, that is a keep probability of :math:`1 - t`.

    References:
        Austin, Johnson, Ho, Tarlow, van den Berg (2021). Structured denoising diffusion models in discrete state-spaces.
        https://arxiv.org/abs/2107.03006

    Example:
        >>> from probgen.distributions.chains import LinearKeep
        >>> schedule = LinearKeep()
        >>> float(schedule.log_snr(0.25).sigmoid()), float(schedule.log_snr(1.0))
        (0.75, -inf)
    """

    def __init__(self) -> None:
        super().__init__("variance preserving")

    def _log_snr(self, t: Tensor) -> Tensor:
        return torch.log1p(-t) - torch.log(t)

    def _dlog_snr(self, t: Tensor) -> Tensor:
        return -1 / (t * (1 - t))

    def _t_of_log_snr(self, log_snr: Tensor) -> Tensor:
        return torch.sigmoid(-log_snr)


def linear_keep_schedule() -> LinearKeep:
    r"""The schedule with keep probability :math:`1 - t`, the usual one of masked diffusion.

    Example:
        >>> from probgen.distributions.chains import linear_keep_schedule
        >>> [float(a.square()) for a in linear_keep_schedule().alpha([0.0, 0.5, 1.0])]
        [1.0, 0.5, 0.0]
    """
    return LinearKeep()
