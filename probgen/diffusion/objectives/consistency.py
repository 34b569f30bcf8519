r"""Consistency models: the same network, trained to jump from any time to the data along the probability flow.

A consistency function obeys :math:`f(x_t, t) = f(x_s, s)` for two states of one trajectory, and :math:`f(x_0, 0) = x_0`. A
denoiser whose :math:`c_{\mathrm{out}}` vanishes at the data satisfies the second, so :math:`f = c_{\mathrm{skip}} x_t +
c_{\mathrm{out}} F` is its mean, read in a new way. On neighboring noise-to-signal ratios :math:`r_s < r_t`

.. math:: L = \mathbb E\Bigl[\tfrac{1}{r_t - r_s}\; d\bigl(f(x_t, t),\, \operatorname{sg} f(x_s, s)\bigr)\Bigr], \qquad
          d(a, b) = \sqrt{\|a - b\|^2 + c^2} - c .

*Training* takes both states from one datum and one noise; *distillation* takes :math:`x_s` from one Heun step of a teacher's
probability flow.
"""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.diffusion.objectives.loss_batches import draw_times, require_data
from probgen.diffusion.objectives.time_laws import LogNormalNoise
from probgen.diffusion.objectives.time_samplers import ContinuousTimes, TimeSampler
from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.infer import Annealed, Objective

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["ConsistencyLoss"]


class ConsistencyLoss(Objective):
    r"""Consistency training, or distillation from a teacher.

    Args:
        diffusion: The model; its parameterization must have :math:`c_{\mathrm{out}} \to 0` at the data: "edm", "v", "eps",
            "velocity", "score".
        teacher: A trained denoiser with the same schedule, for distillation; a frozen copy of it is kept.
        intervals: Into how many pieces the noise range is cut; a number, or an ``Annealed`` that rises while training.
        times: Law of the times that choose a piece; log-normal in the noise-to-signal ratio by default, not corrected for.
        ratio_min: The smallest noise-to-signal ratio; below it the data are taken as they are.
        ratio_max: The largest.
        rho: Power of the spacing of the pieces.

    Raises:
        ValueError: a parameterization that does not keep the data fixed, or an empty range.

    References:
        Song, Dhariwal, Chen, Sutskever (2023). Consistency models. https://arxiv.org/abs/2303.01469
        Song, Dhariwal (2024). Improved techniques for training consistency models. https://arxiv.org/abs/2310.14189

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> network = pg.nn.DenoisingMLP(2, hidden=(8,))
        >>> d = pg.diffusion.Diffusion(network, pg.diffusion.edm_schedule(), event_shape=(2,), parameterization="edm")
        >>> d.consistency_loss()(torch.randn(8, 2)).shape
        torch.Size([])
    """

    def __init__(
        self,
        diffusion: Diffusion,
        teacher: Denoiser | None = None,
        *,
        intervals: int | Annealed = 18,
        times: TimeSampler | None = None,
        ratio_min: float = 0.002,
        ratio_max: float = 80.0,
        rho: float = 7.0,
    ) -> None:
        super().__init__()
        if not 0 < ratio_min < ratio_max:
            raise ValueError(f"`ratio_min` must be positive and below `ratio_max`; got {ratio_min} and {ratio_max}.")
        first = diffusion.schedule.level(diffusion.schedule.t_of_log_snr(-2 * math.log(ratio_min)))
        if abs(float(diffusion.denoiser.coefficients(first)[1].detach())) > 100 * ratio_min:
            raise ValueError(
                "`diffusion` must have a parameterization whose mean is the observation itself where there is no noise: "
                '"edm", "v", "eps", "velocity" or "score".'
            )
        self.diffusion = diffusion
        self.teacher = None if teacher is None else copy.deepcopy(teacher).requires_grad_(False)  # noqa: FBT003
        self.intervals = intervals
        self.times = ContinuousTimes(LogNormalNoise(diffusion.schedule, -1.1, 2.0)) if times is None else times
        self.ratio_min, self.ratio_max, self.rho = ratio_min, ratio_max, rho

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss on one batch, a scalar: the mean over data.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
        """
        return self.per_datum(x, context).mean()

    def per_datum(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of every datum, shape ``[*batch]``."""
        denoiser = self.diffusion.denoiser
        denoiser.check(x, context)
        if self.teacher is not None:
            self.teacher.eval()
        rank = denoiser.event_dim
        require_data(x, rank)
        lower, upper, first = self._pairs(draw_times(self.times, x, rank).t)
        s, t = self._level(lower), self._level(upper)
        y_t = x + over_event(upper, rank, x) * torch.randn_like(x)  # x_t / alpha_t
        with torch.no_grad():
            y_s = self._neighbor(x, y_t, s, t, lower, upper, context)
            earlier = denoiser.mean(over_event(s.alpha, rank, x) * y_s, s.t, context)
            target = torch.where(over_event(first, rank, x) > 0, x if self.teacher is None else y_s, earlier)
        jump = denoiser.mean(over_event(t.alpha, rank, x) * y_t, t.t, context)
        bound = 0.00054 * math.sqrt(max(math.prod(denoiser.event_shape), 1))
        distance = torch.sqrt(sum_rightmost((jump - target).square(), rank) + bound**2) - bound
        return distance / (upper - lower).to(distance.dtype)

    def _pairs(self, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The ends of the piece that each time lies in, as noise-to-signal ratios, and whether it is the first piece."""
        count = self.intervals() if isinstance(self.intervals, Annealed) else torch.tensor(float(self.intervals))
        count = count.to(t).floor()
        low, high = self.ratio_min ** (1 / self.rho), self.ratio_max ** (1 / self.rho)
        ratio = torch.exp(-self.diffusion.schedule.log_snr(t) / 2)
        place = ((ratio ** (1 / self.rho) - low) / (high - low)).clamp(0, 1)
        index = torch.minimum((place * count).floor(), count - 1)
        lower, upper = ((low + part / count * (high - low)) ** self.rho for part in (index, index + 1))
        return lower, upper, (index == 0).to(t)

    def _level(self, ratio: Tensor) -> NoiseLevel:
        return self.diffusion.schedule.level(self.diffusion.schedule.t_of_log_snr(-2 * torch.log(ratio)))

    def _neighbor(
        self,
        x: Tensor,
        y_t: Tensor,
        s: NoiseLevel,
        t: NoiseLevel,
        lower: Tensor,
        upper: Tensor,
        context: Tensor | None,
    ) -> Tensor:
        """The state at the lower ratio, divided by alpha: on the line to the datum, or after a Heun step of the teacher."""
        rank, teacher = self.diffusion.denoiser.event_dim, self.teacher
        lower, upper = over_event(lower, rank, x), over_event(upper, rank, x)
        if teacher is None:
            return x + (lower / upper) * (y_t - x)
        slope = (y_t - teacher.mean(over_event(t.alpha, rank, x) * y_t, t.t, context)) / upper
        guess = y_t + (lower - upper) * slope
        second = (guess - teacher.mean(over_event(s.alpha, rank, x) * guess, s.t, context)) / lower
        return y_t + (lower - upper) * (slope + second) / 2
