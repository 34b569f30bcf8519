r"""Progressive distillation: one DDIM step of the student for two of the teacher.

From :math:`x_t` the teacher steps to the middle time and on to s. The one prediction with which a single step arrives at the
same :math:`x_s` is

.. math:: \tilde x_0 = \frac{x_s - (\sigma_s/\sigma_t)\, x_t}{\alpha_s - (\sigma_s/\sigma_t)\, \alpha_t},

and the student learns it with the weight max(SNR, 1). The student is then the next teacher, on a grid of half as many steps.
"""

from __future__ import annotations

import copy
import itertools
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.diffusion.objectives.denoising_loss import Times, resolve_times
from probgen.diffusion.objectives.loss_batches import draw_times, mean_per_coordinate, require_data
from probgen.diffusion.objectives.prediction_error import noised
from probgen.diffusion.objectives.weightings import Weighting, resolve_weighting
from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.infer import Objective

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["ProgressiveDistillationLoss"]


class ProgressiveDistillationLoss(Objective):
    r"""Teach a model to make one deterministic step where a teacher makes two.

    Args:
        diffusion: The student; its grid has the steps that it shall make.
        teacher: A trained denoiser with the same schedule; a frozen copy of it is kept.
        weighting: As in ``DenoisingLoss``, "elbo" excepted.
        times: A sampler of the steps of the student's grid; uniform by default.

    Raises:
        ValueError: the teacher has another schedule, or the times are not the steps of the student's grid.

    References:
        Salimans, Ho (2022). Progressive distillation for fast sampling of diffusion models. https://arxiv.org/abs/2202.00512

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> schedule = pg.diffusion.cosine_schedule()
        >>> teacher = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), schedule, event_shape=(2,), grid=8)
        >>> student = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), schedule, event_shape=(2,), grid=4)
        >>> student.progressive_distillation_loss(teacher.denoiser)(torch.randn(8, 2)).shape
        torch.Size([])
    """

    def __init__(
        self,
        diffusion: Diffusion,
        teacher: Denoiser,
        weighting: str | Weighting = "truncated-snr",
        *,
        times: Times | None = None,
    ) -> None:
        super().__init__()
        if teacher.schedule is not diffusion.schedule:
            raise ValueError("`teacher` must have the same `schedule` object as the student.")
        self.diffusion = diffusion
        self.teacher = copy.deepcopy(teacher).requires_grad_(False)  # noqa: FBT003
        self.weighting = weighting
        self._weight = resolve_weighting(weighting)
        self.times = resolve_times(times, diffusion, "steps")
        if getattr(self.times, "grid", None) != diffusion.grid:
            raise ValueError("`times` must be a sampler of the steps of the student's own grid.")

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss on one batch, a scalar: the mean over data and coordinates.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
        """
        return mean_per_coordinate(self.per_datum(x, context), self.diffusion.event_shape)

    def per_datum(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of every datum, summed over the event, shape ``[*batch]``."""
        denoiser, schedule = self.diffusion.denoiser, self.diffusion.schedule
        denoiser.check(x, context)
        self.teacher.eval()
        rank = denoiser.event_dim
        require_data(x, rank)
        draws = draw_times(self.times, x, rank)
        step, times = draws.step, self.diffusion.grid.times.to(x.device)
        t, s = times[step], times[step - 1]
        levels = [schedule.level(time) for time in (t, (t + s) / 2, s)]
        x_t = noised(x, torch.randn_like(x), levels[0], rank)
        prediction = denoiser.predict(x_t, levels[0], context)
        with torch.no_grad():
            wanted = self._two_steps(x_t, levels, context)
        skip, out = denoiser.coefficients(levels[0])
        target = (wanted - over_event(skip, rank, x) * x_t) / over_event(out, rank, x)
        weight = torch.exp(self._weight(denoiser, levels[0]) / 2) * out.abs() * draws.ratio.sqrt()
        return sum_rightmost((over_event(weight, rank, x) * (prediction - target)).square(), rank)

    def _two_steps(self, x_t: Tensor, levels: list[NoiseLevel], context: Tensor | None) -> Tensor:
        """The prediction whose one step arrives where two steps of the teacher do, ``[*batch, *event]``."""
        rank, x = len(self.diffusion.event_shape), x_t
        for start, stop in itertools.pairwise(levels):
            kept = stop.sigma / start.sigma
            mean = self.teacher.mean(x, start.t, context)
            x = over_event(kept, rank, x) * x + over_event(stop.alpha - kept * start.alpha, rank, x) * mean
        kept = levels[2].sigma / levels[0].sigma
        return (x - over_event(kept, rank, x) * x_t) / over_event(levels[2].alpha - kept * levels[0].alpha, rank, x)
