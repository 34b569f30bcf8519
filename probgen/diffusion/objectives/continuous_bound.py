r"""The bound of infinitely many steps, with a schedule that may be learned.

For times from :math:`t_{\min}` (where the decoder begins) to :math:`t_{\max}`,

.. math::

    -\log p(x_0) \le \mathrm{KL}(q(x_{t_{\max}} \mid x_0) \,\|\, p) + \mathbb E_q[-\log p(x_0 \mid x_{t_{\min}})]
    + \tfrac12 \int_{t_{\min}}^{t_{\max}} -\lambda'(t)\; \mathbb E\|\hat\varepsilon(x_t, t) - \varepsilon\|^2 \,\mathrm dt .

Substituting :math:`\lambda` for t shows that only the two end values of a schedule matter to the value; what lies between
matters to the variance of an estimate from one random t. So the ends of a learned schedule follow the gradient of the bound,
and its interior the gradient of the mean square of the estimate: two players in one round.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from probgen.diffusion.objectives.chain_bound import prior_term
from probgen.diffusion.objectives.loss_batches import draw_times, require_data
from probgen.diffusion.objectives.prediction_error import noised, prediction_error
from probgen.diffusion.objectives.time_samplers import ContinuousTimes
from probgen.diffusion.objectives.weightings import WEIGHTINGS
from probgen.distributions.chains import Denoised, default_decoder
from probgen.distributions.events import over_event
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.infer import Objective, Player

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["ContinuousBoundLoss"]


class ContinuousBoundLoss(Objective):
    r"""The continuous-time bound of variational diffusion models, unbiased in t.

    One player, unless the schedule has ``interior_parameters()``: then a player "schedule" minimizes the variance in these,
    and "model" the bound in all others.

    Args:
        diffusion: The model. The first noisy time of its grid is :math:`t_{\min}`, the last is :math:`t_{\max}`.
        times: Law of the times between; uniform with low discrepancy by default.

    Raises:
        ValueError: the grid has a single step, or the given times do not cover the grid's.

    References:
        Kingma, Salimans, Poole, Ho (2021). Variational diffusion models. https://arxiv.org/abs/2107.00630

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> d = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), event_shape=(2,))
        >>> loss = d.continuous_bound_loss()
        >>> loss(torch.randn(8, 2)).shape, list(loss.players)
        (torch.Size([]), ['model'])
    """

    def __init__(self, diffusion: Diffusion, *, times: ContinuousTimes | None = None) -> None:
        super().__init__()
        self.diffusion = diffusion
        low, high = diffusion.grid.time(1), diffusion.grid.time(-1)
        if low == high:
            raise ValueError("the grid of `diffusion` must have at least two steps: its first noisy time and its last bound t.")
        self.times = ContinuousTimes(low=low, high=high, coupling="low-discrepancy") if times is None else times
        if (self.times.low, self.times.high) != (low, high):
            raise ValueError(f"`times` must cover [{low:g}, {high:g}]; got [{self.times.low:g}, {self.times.high:g}].")

    @property
    def players(self) -> Mapping[str, Player]:
        """One player, or "model" and "schedule"."""
        interior = self._interior()
        own = {id(parameter) for parameter in interior}
        others = tuple(parameter for parameter in self.parameters() if id(parameter) not in own)
        return {"model": Player(others)} if not interior else {"model": Player(others), "schedule": Player(interior)}

    def _interior(self) -> tuple[nn.Parameter, ...]:
        found = getattr(self.diffusion.schedule, "interior_parameters", None)
        return () if found is None else tuple(found())

    def forward(self, x: Tensor, context: Tensor | None = None, *, player: str = "model") -> Tensor:
        """The player's loss on one batch, a scalar: nats per dimension, or for "schedule" the mean square of its random part.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
            player: "model" or "schedule".

        Raises:
            ValueError: an empty batch.
        """
        dims = max(math.prod(self.diffusion.event_shape), 1)
        if player == "schedule":
            return (self.parts(x, context)[1] / dims).square().mean()
        return self.per_datum(x, context).mean() / dims

    def per_datum(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The bound of every datum in nats, ``[*batch]``, from one random time and the decoder."""
        ends, between = self.parts(x, context)
        return ends + between

    def parts(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The terms of the two ends, and the estimate of the integral between them; both ``[*batch]``."""
        denoiser = self.diffusion.denoiser
        denoiser.check(x, context)
        rank = denoiser.event_dim
        require_data(x, rank)
        draws = draw_times(self.times, x, rank)
        t = draws.t
        level = self.diffusion.schedule.level(torch.stack([torch.full_like(t, self.times.low), t]))
        both = x.expand(2, *x.shape)
        noise = torch.randn_like(both)
        x_t = noised(both, noise, level, rank)
        given = None if context is None else context.expand(2, *context.shape)
        prediction, law = denoiser.predict_and_posterior(x_t, level, given)
        decoder = default_decoder if self.diffusion.decoder is None else self.diffusion.decoder
        reconstruction = -decoder(Denoised(law, x_t, level)).log_prob(both)[0]
        error, scale = prediction_error(denoiser, prediction, both, noise, level)
        weight = torch.exp(WEIGHTINGS["likelihood"](denoiser, level[1]) / 2) * scale[1].abs()
        square = sum_rightmost((over_event(weight, rank, x) * error[1]).square(), rank)
        ratio = (draws.ratio * (self.times.high - self.times.low)).to(square.dtype)
        return prior_term(self.diffusion, x) + reconstruction, ratio * square
