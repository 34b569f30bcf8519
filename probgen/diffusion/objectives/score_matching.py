r"""Score matching without a target: the implicit (Hyvärinen) and the sliced objective on the noisy data.

With :math:`s_\theta(x, t)` the denoiser's score, :math:`q_t` the law of :math:`x_t` and any weight :math:`W(t)`,

.. math::

    \mathbb E\,W \|s_\theta - \nabla \log q_t\|^2
    = \mathbb E\,W\bigl[2\,\nabla\!\cdot s_\theta + \|s_\theta\|^2\bigr] + \text{const}
    = \mathbb E\,W\bigl[\|s_\theta - \nabla\log q(x_t \mid x_0)\|^2\bigr] + \text{const}' ,

by integration by parts and by averaging over :math:`x_0`. The last form is the denoising loss; its constant differs from the
first by :math:`W D/\sigma_t^2`. With directions v of :math:`\mathbb E[vv^\top] = I` the divergence is :math:`\mathbb E[v^\top
\nabla (v^\top s)]`, one derivative instead of D ("sliced"). The implicit forms need no knowledge of the noise, and are noisier
for it. :math:`W = g^2/2`, "likelihood", makes the objective a bound of :math:`\mathrm{KL}(p_0 \,\|\, p_\theta)`; a weighting w
of :math:`\|\hat x_0 - x_0\|^2` is :math:`W = w\,\sigma^2/\mathrm{SNR}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from probgen.diffusion.objectives.denoising_loss import Times, resolve_times
from probgen.diffusion.objectives.loss_batches import draw_times, mean_per_coordinate, require_data
from probgen.diffusion.objectives.prediction_error import noised
from probgen.diffusion.objectives.weightings import Weighting, resolve_weighting
from probgen.distributions.chains import Denoiser, NoiseLevel
from probgen.distributions.events import over_event
from probgen.distributions.numerics.divergence import draw_probes, exact_divergence, hutchinson_divergence
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.infer import Objective

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["ScoreMatchingLoss", "score_function"]


class ScoreMatchingLoss(Objective):
    r"""Implicit or sliced score matching of a diffusion model at random times.

    In expectation it is the ``DenoisingLoss`` of the same weighting minus :math:`W D/\sigma_t^2`, so both have one minimizer,
    the true score, and one gradient. Its value may be negative.

    Args:
        diffusion: The model; its parameters are trained.
        divergence: "exact" (D derivatives of the network) or "sliced" (``num_slices`` of them).
        weighting: As in ``DenoisingLoss``, "elbo" excepted.
        num_slices: Random directions for each datum.
        sliced_norm: Whether the squared norm is sliced too, as in the original sliced objective; without it ("variance
            reduction") it is exact.
        times: As in ``DenoisingLoss``; uniform over the times of the grid by default.

    Raises:
        ValueError: no such divergence or weighting, or no slices.

    References:
        Hyvärinen (2005). Estimation of non-normalized statistical models by score matching.
        https://jmlr.org/papers/v6/hyvarinen05a.html
        Song, Garg, Shi, Ermon (2019). Sliced score matching. https://arxiv.org/abs/1905.07088
        Vincent (2011). A connection between score matching and denoising autoencoders. https://doi.org/10.1162/NECO_a_00142
        Song, Durkan, Murray, Ermon (2021). Maximum likelihood training of score-based diffusion models.
        https://arxiv.org/abs/2101.09258

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> d = pg.diffusion.Diffusion(pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), event_shape=(2,))
        >>> d.score_matching_loss("sliced")(torch.randn(8, 2)).shape
        torch.Size([])
    """

    def __init__(
        self,
        diffusion: Diffusion,
        divergence: Literal["exact", "sliced"] = "sliced",
        weighting: str | Weighting = "likelihood",
        *,
        num_slices: int = 1,
        sliced_norm: bool = False,
        times: Times | None = None,
    ) -> None:
        super().__init__()
        if divergence not in ("exact", "sliced"):
            raise ValueError(f"`divergence` must be 'exact' or 'sliced'; got {divergence!r}.")
        if num_slices < 1:
            raise ValueError(f"`num_slices` must be at least 1; got {num_slices}.")
        if sliced_norm and divergence == "exact":
            raise ValueError("`sliced_norm` needs `divergence='sliced'`.")
        self.diffusion = diffusion
        self.divergence = divergence
        self._weight = resolve_weighting(weighting)
        self.weighting = weighting
        self.num_slices = num_slices
        self.sliced_norm = sliced_norm
        self.times = resolve_times(times, diffusion, "continuous")

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss on one batch, a scalar: the mean over data and coordinates.

        Args:
            x: Data ``[*batch, *event]``.
            context: Shape ``[*batch, *context_shape]``, if the network takes one.
        """
        return mean_per_coordinate(self.per_datum(x, context), self.diffusion.event_shape)

    def per_datum(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The loss of every datum, summed over the event, shape ``[*batch]``."""
        denoiser = self.diffusion.denoiser
        denoiser.check(x, context)
        require_data(x, denoiser.event_dim)
        draws = draw_times(self.times, x, denoiser.event_dim)
        level = self.diffusion.schedule.level(draws.t)
        x_t = noised(x, torch.randn_like(x), level, denoiser.event_dim)
        twice_divergence, square = self._parts(score_function(denoiser, level, context), x_t)
        weight: Tensor = torch.exp(self._weight(denoiser, level) - level.log_snr) * level.sigma.square()
        weight = weight * draws.ratio
        return weight.to(square.dtype) * (twice_divergence + square)

    def _parts(self, score: Callable[[Tensor], Tensor], x_t: Tensor) -> tuple[Tensor, Tensor]:
        """Twice the divergence of the score and its squared norm, both ``[*batch]``, exactly or by slices."""
        rank = len(self.diffusion.event_shape)
        if self.divergence == "exact":
            value, divergence = exact_divergence(score, x_t, rank)
            return 2 * divergence, sum_rightmost(value.square(), rank)
        probes = draw_probes(self.num_slices, x_t.shape, dtype=x_t.dtype, device=x_t.device)
        value, slices = hutchinson_divergence(score, x_t, probes, rank)
        sliced = sum_rightmost(probes * value, rank).square().mean(0) if self.sliced_norm else None
        return 2 * slices.mean(0), sum_rightmost(value.square(), rank) if sliced is None else sliced

    def extra_repr(self) -> str:
        """Divergence and weighting."""
        return f"divergence={self.divergence!r}, weighting={self.weighting!r}"


def score_function(denoiser: Denoiser, level: NoiseLevel, context: Tensor | None = None) -> Callable[[Tensor], Tensor]:
    r"""The score :math:`(\alpha\hat x_0 - x_t)/\sigma^2` of a denoiser as a function of :math:`x_t` alone, on valid input.

    Args:
        denoiser: The denoiser.
        level: The noise level, broadcasting with the batch.
        context: Shape ``[*batch, *context_shape]``, if it takes one.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import score_function
        >>> from probgen.distributions.chains import GaussianDenoiser, cosine_schedule
        >>> oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(1), torch.tensor(1.0))
        >>> score = score_function(oracle, oracle.schedule.level(0.5))(torch.ones(1))  # that of N(0, 1)
        >>> round(float(score), 5)
        -1.0
    """
    skip, out = denoiser.coefficients(level)
    rank, variance = denoiser.event_dim, level.sigma.square()
    of_x, of_prediction = (level.alpha * skip - 1) / variance, level.alpha * out / variance

    def score(x: Tensor) -> Tensor:
        return over_event(of_x, rank, x) * x + over_event(of_prediction, rank, x) * denoiser.predict(x, level, context)

    return score
