r"""The hybrid loss: the noise error trains the mean, the bound trains the variance.

.. math:: L = L_{\mathrm{simple}} + \lambda\, L_{\mathrm{vlb}}, \qquad \text{the mean held constant inside } L_{\mathrm{vlb}} .

The simple loss does not see the variance, and the bound alone is noisy in the mean. With the stop-gradient each part of the
network's output has one teacher, and both come from one evaluation. The page "Improved diffusion" measures what it buys.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.diffusion.objectives.chain_bound import prior_term, step_term
from probgen.diffusion.objectives.denoising_loss import Times, drop_context, require_dropout, resolve_times
from probgen.diffusion.objectives.loss_batches import draw_times, mean_per_coordinate, require_data
from probgen.diffusion.objectives.weightings import Weighting, resolve_weighting
from probgen.distributions.events import over_event
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.infer import Objective

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["HybridLoss"]


class HybridLoss(Objective):
    r"""A denoising loss for the mean plus the bound for a learned variance.

    Args:
        diffusion: A model with a learned spread, ``spread=LearnedVariance()``.
        weighting: Of the part that trains the mean, as in ``DenoisingLoss``.
        bound_weight: The weight :math:`\lambda` of the bound, per dimension in nats.
        times: A sampler of the grid's steps, or "steps" or "importance".
        context_dropout: As in ``DenoisingLoss``.

    Raises:
        ValueError: the spread is not learned, ``bound_weight`` is not positive, or the times are not the steps of this grid.

    References:
        Nichol, Dhariwal (2021). Improved denoising diffusion probabilistic models. https://arxiv.org/abs/2102.09672

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.distributions.chains import LearnedVariance
        >>> class Network(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.linear = torch.nn.Linear(2, 4)
        ...
        ...     def forward(self, x, log_snr, context=None):
        ...         return self.linear(x)
        >>> schedule = pg.diffusion.cosine_schedule()
        >>> d = pg.diffusion.Diffusion(Network(), schedule, event_shape=(2,), grid=100, spread=LearnedVariance())
        >>> d.hybrid_loss()(torch.randn(8, 2)).shape
        torch.Size([])
    """

    def __init__(
        self,
        diffusion: Diffusion,
        weighting: str | Weighting = "simple",
        *,
        bound_weight: float = 1e-3,
        times: Times | None = None,
        context_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if not getattr(getattr(diffusion.denoiser, "spread", None), "learned", False):
            raise ValueError("`diffusion` must have a learned spread, as `Diffusion(..., spread=LearnedVariance())`.")
        if not bound_weight > 0:
            raise ValueError(f"`bound_weight` must be positive; got {bound_weight}.")
        self.diffusion = diffusion
        self.weighting = weighting
        self._weight = resolve_weighting(weighting)
        self.bound_weight = bound_weight
        self.times = resolve_times(times, diffusion, "steps")
        self.context_dropout = context_dropout
        if getattr(self.times, "grid", None) != diffusion.grid:
            raise ValueError("`times` must be a sampler of the steps of the model's own grid.")
        require_dropout(diffusion, context_dropout)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss on one batch, a scalar: the mean over data and coordinates.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.

        Raises:
            ValueError: an empty batch, or a wrong event shape.
        """
        return mean_per_coordinate(self.per_datum(x, context), self.diffusion.event_shape)

    def per_datum(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of every datum, summed over the event, shape ``[*batch]``."""
        simple, bound = self.parts(x, context)
        return simple + self.bound_weight * bound

    def parts(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The weighted squared error, which trains the mean, and the bound, which trains the variance; both ``[*batch]``."""
        denoiser = self.diffusion.denoiser
        denoiser.check(x, context)
        require_data(x, denoiser.event_dim)
        context = drop_context(self.diffusion, context, self.context_dropout) if self.training else context
        draws = draw_times(self.times, x, denoiser.event_dim)
        noise = torch.randn_like(x)
        term = step_term(self.diffusion, x, draws.step, noise, context, constant_mean=True)
        if self.training and torch.is_grad_enabled():
            self.times.learn(draws, term.nats.detach())
        error, scale = term.prediction
        weight = torch.exp(self._weight(denoiser, self.diffusion.schedule.level(draws.t)) / 2) * scale.abs()
        scaled = over_event(weight, denoiser.event_dim, error) * error
        ratio = draws.ratio.to(term.nats.dtype)
        simple = ratio * sum_rightmost(scaled.square(), denoiser.event_dim)
        return simple, prior_term(self.diffusion, x) + len(self.diffusion.grid) * ratio * term.nats

    def extra_repr(self) -> str:
        """The weighting."""
        return f"weighting={self.weighting!r}, bound_weight={self.bound_weight:g}"
