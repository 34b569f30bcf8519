r"""The loss that trains a denoiser: a weighted squared error at a random time, or one random term of the bound.

.. math:: L(x_0) = \mathbb E_{t, \varepsilon}\bigl[ w(t)\, \|\hat x_0(\alpha_t x_0 + \sigma_t\varepsilon, t) - x_0\|^2 \bigr]

Every datum has a time and a noise of its own. The weighting is defined on the error of :math:`x_0` and evaluated in the
coordinates of the network, so the loss is one number whatever the network predicts. With the weighting "elbo" it is the
negative ELBO of the chain: :math:`L_N` plus N times one random term, importance weights included, its expectation exactly that
of the chain as a Pyro model and guide, at one evaluation of the network instead of N.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from probgen.diffusion.objectives.chain_bound import prior_term, step_term
from probgen.diffusion.objectives.loss_aware_steps import LossAwareSteps
from probgen.diffusion.objectives.loss_batches import draw_times, mean_per_coordinate, require_data
from probgen.diffusion.objectives.prediction_error import noised, prediction_error
from probgen.diffusion.objectives.time_samplers import ContinuousTimes, Steps, TimeDraws, TimeSampler
from probgen.diffusion.objectives.weightings import Weighting, resolve_weighting
from probgen.distributions.events import over_event
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.infer import Objective
from probgen.infer.random_times import logit_normal_time

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["DenoisingLoss", "Times", "drop_context", "require_dropout", "resolve_times"]

Times = TimeSampler | Literal["steps", "importance", "continuous", "logit-normal"]
"""A time sampler, or the name of one: uniform steps, loss-aware steps, uniform times, logit-normal times."""


class DenoisingLoss(Objective):
    r"""The denoising loss of a diffusion model; ``Diffusion.denoising_loss`` builds it.

    Called on a batch it returns the mean over data and coordinates, so learning rates and clipping carry over between shapes;
    with "elbo" that is nats per dimension. :meth:`per_datum` gives sums over the event.

    Args:
        diffusion: The model; its parameters are trained.
        weighting: "elbo", a name of ``WEIGHTINGS`` or a function, see ``weightings``.
        times: Which times a batch looks at; by default uniform over the steps of the grid, stratified over the batch
            ("likelihood": uniform over the times of the grid).
        correct_times: Whether draws are reweighted so that the loss is an average over uniform times, whatever law they come
            from. Without, that law is part of the weighting, as Karras et al. and rectified flows mean it. The bound is always
            corrected.
        context_dropout: Probability that a datum's context is replaced by the network's ``null_context``, which trains both
            models of classifier-free guidance.

    Raises:
        ValueError: no such weighting or times, times that are not this grid's steps for "elbo", or a dropout without
            ``null_context``.

    References:
        Ho, Jain, Abbeel (2020). Denoising diffusion probabilistic models. https://arxiv.org/abs/2006.11239
        Ho, Salimans (2022). Classifier-free diffusion guidance. https://arxiv.org/abs/2207.12598

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> class Network(torch.nn.Module):
        ...     def forward(self, x, log_snr, context=None):
        ...         return torch.zeros_like(x)
        >>> _ = torch.manual_seed(0)
        >>> d = pg.diffusion.Diffusion(Network(), pg.diffusion.cosine_schedule(), event_shape=(2,), parameterization="eps")
        >>> float(d.denoising_loss(weighting="simple")(torch.randn(2000, 2)))  # the noise has variance one
        1.0...
    """

    def __init__(
        self,
        diffusion: Diffusion,
        weighting: str | Weighting = "simple",
        *,
        times: Times | None = None,
        correct_times: bool = True,
        context_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.diffusion = diffusion
        self.weighting = weighting
        self._weight = None if weighting == "elbo" else resolve_weighting(weighting)
        self.times = resolve_times(times, diffusion, "continuous" if weighting == "likelihood" else "steps")
        self.correct_times = correct_times
        self.context_dropout = context_dropout
        if weighting == "elbo" and getattr(self.times, "grid", None) != diffusion.grid:
            raise ValueError('`times` must be a sampler of the steps of the model\'s own grid with the weighting "elbo".')
        require_dropout(diffusion, context_dropout)

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss on one batch, a scalar: the mean over data and coordinates.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.

        Raises:
            ValueError: an empty batch, or a wrong event shape.
            ContextError: a missing, mis-sized or unused context.
        """
        losses = self.per_datum(x, context)
        require_data(x, self.diffusion.denoiser.event_dim)
        return mean_per_coordinate(losses, self.diffusion.event_shape)

    def per_datum(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of every datum, summed over the event, shape ``[*batch]``: an unbiased estimate from one time each.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
        """
        denoiser = self.diffusion.denoiser
        denoiser.check(x, context)
        context = drop_context(self.diffusion, context, self.context_dropout) if self.training else context
        draws = draw_times(self.times, x, denoiser.event_dim)
        losses = self._losses(x, draws, context)
        if self.training and torch.is_grad_enabled():
            self.times.learn(draws, losses.detach())
        if self._weight is None:
            return prior_term(self.diffusion, x) + losses * (len(self.diffusion.grid) * draws.ratio).to(losses.dtype)
        return losses * draws.ratio.to(losses.dtype) if self.correct_times else losses

    def _losses(self, x: Tensor, draws: TimeDraws, context: Tensor | None) -> Tensor:
        """The loss of every datum at its time."""
        noise = torch.randn_like(x)
        if self._weight is None:
            return step_term(self.diffusion, x, draws.step, noise, context).nats
        denoiser = self.diffusion.denoiser
        level = self.diffusion.schedule.level(draws.t)
        prediction = denoiser.predict(noised(x, noise, level, denoiser.event_dim), level, context)
        error, scale = prediction_error(denoiser, prediction, x, noise, level)
        weight = torch.exp(self._weight(denoiser, level) / 2) * scale.abs()
        scaled = over_event(weight, denoiser.event_dim, error) * error
        return sum_rightmost(scaled.square(), denoiser.event_dim)

    def extra_repr(self) -> str:
        """The weighting."""
        return f"weighting={self.weighting!r}"


def resolve_times(times: Times | None, diffusion: Diffusion, default: str) -> TimeSampler:
    """A time sampler from its name.

    Args:
        times: A sampler, a name, or None for the default.
        diffusion: Gives the grid.
        default: The name where none is given.

    Raises:
        ValueError: there is no such name.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.objectives.denoising_loss import resolve_times
        >>> d = pg.diffusion.Diffusion(torch.nn.Identity(), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=4)
        >>> type(resolve_times("importance", d, "steps")).__name__
        'LossAwareSteps'
    """
    if isinstance(times, TimeSampler):
        return times
    grid = diffusion.grid
    low, high = grid.time(1), grid.time(-1)
    samplers: dict[str, Callable[[], TimeSampler]] = {
        "steps": lambda: Steps(grid),
        "importance": lambda: LossAwareSteps(grid),
        "continuous": lambda: ContinuousTimes(low=low, high=high),
        "logit-normal": lambda: ContinuousTimes(logit_normal_time()),
    }
    name = default if times is None else times
    if name not in samplers:
        raise ValueError(f"`times` must be a TimeSampler or one of {list(samplers)}; got {name!r}.")
    return samplers[name]()


def require_dropout(diffusion: Diffusion, probability: float) -> None:
    """Refuse a probability of losing the context that is none, or that the network has no word for.

    Args:
        diffusion: Has the ``null_context``, or not.
        probability: That a datum loses its context.

    Raises:
        ValueError: it lies outside [0, 1), or is positive and there is no null context.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.objectives.denoising_loss import require_dropout
        >>> d = pg.diffusion.Diffusion(torch.nn.Identity(), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=4)
        >>> require_dropout(d, 1.0)
        Traceback (most recent call last):
            ...
        ValueError: `context_dropout` must lie in [0, 1); got 1.0.
    """
    if not 0 <= probability < 1:
        raise ValueError(f"`context_dropout` must lie in [0, 1); got {probability}.")
    if probability > 0 and diffusion.denoiser.null_context is None:
        raise ValueError("`context_dropout` needs a network with a `null_context`; this one has none.")


def drop_context(diffusion: Diffusion, context: Tensor | None, probability: float) -> Tensor | None:
    """Replace the context of some data by the one that means "none given".

    Args:
        diffusion: Has the ``null_context``.
        context: Shape ``[*batch, *context_shape]``, or None.
        probability: That a datum loses its context.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.objectives.denoising_loss import drop_context
        >>> d = pg.diffusion.Diffusion(torch.nn.Identity(), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=4)
        >>> drop_context(d, None, 0.1) is None
        True
    """
    null = diffusion.denoiser.null_context
    if context is None or null is None or probability == 0:
        return context
    batch = context.shape[: context.dim() - null.dim()]
    dropped = torch.rand(batch, device=context.device) < probability
    return torch.where(dropped.reshape(*batch, *(1,) * null.dim()), null.to(context), context)
