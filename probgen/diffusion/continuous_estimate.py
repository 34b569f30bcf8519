r"""The bound of infinitely many steps for every datum, at few evaluations of the network.

.. math::

    -\log p(x_0) \le L_N + L_0 + \tfrac12 \int_{\lambda_{\max}}^{\lambda_{\min}}
        \mathbb E\|\hat\varepsilon(x_\lambda, \lambda) - \varepsilon\|^2\, \mathrm d\lambda .

The integral is a mean over log-SNR, drawn for every datum at evenly spaced quantiles with one random shift (a systematic
sample), so a dozen draws do what independent ones do with many more. With one seed the same noise is used again, so differences
between contexts, which are what Bayes' rule needs, are far less noisy than the bounds themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.diffusion.objectives import ContinuousTimes, DenoisingLoss, LogUniformNoise, prior_term, step_term
from probgen.distributions._seeding import random_stream
from probgen.infer.evaluation_mode import evaluating

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["bound_estimate", "log_uniform_times"]


def log_uniform_times(diffusion: Diffusion) -> ContinuousTimes:
    """Times of low discrepancy, uniform in log-SNR between the first noisy and the last time of the grid of a model.

    Args:
        diffusion: The model.

    Raises:
        ValueError: the log-SNR is infinite at one of these times.

    Example:
        >>> import probgen as pg
        >>> from probgen.diffusion import TimeGrid, cosine_schedule
        >>> from probgen.diffusion.continuous_estimate import log_uniform_times
        >>> d = pg.diffusion.Diffusion(
        ...     pg.nn.DenoisingMLP(2, hidden=(8,)), cosine_schedule(), event_shape=(2,), grid=TimeGrid([0.0, 0.02, 1.0])
        ... )
        >>> log_uniform_times(d)(4).t.shape
        torch.Size([4])
    """
    low, high = diffusion.grid.time(1), diffusion.grid.time(-1)
    law = LogUniformNoise(diffusion.schedule, low, high)
    return ContinuousTimes(law, low=low, high=high, coupling="low-discrepancy")


@torch.no_grad()
def bound_estimate(
    diffusion: Diffusion,
    x: Tensor,
    context: Tensor | None = None,
    *,
    num_draws: int = 16,
    decoder_draws: int = 4,
    rows: int = 2048,
    seed: int = 0,
) -> Tensor:
    r"""Estimate the bound on :math:`-\log p(x_0)` of every datum, in evaluation mode and without gradients.

    Args:
        diffusion: The model; the first noisy time of its grid is where the decoder begins, the last that of the prior.
        x: Data ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        num_draws: Times for each datum, each with a noise of its own.
        decoder_draws: Draws of the state that the decoder sees.
        rows: How many noisy states the network sees at once.
        seed: Of times and noise; the global random state is left alone.

    Returns:
        Nats, shape ``[n]``. With a discretized decoder they bound a codelength, else minus a log-density.

    Raises:
        ValueError: counts that are not positive, no data, or a grid of one step.

    References:
        Kingma, Salimans, Poole, Ho (2021). Variational diffusion models. https://arxiv.org/abs/2107.00630

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion import TimeGrid, bound_estimate, cosine_schedule
        >>> from probgen.distributions.chains import GaussianDenoiser
        >>> schedule = cosine_schedule()
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(1), torch.tensor(0.25))
        >>> d = pg.diffusion.Diffusion(oracle, schedule, event_shape=(1,), grid=TimeGrid.log_snr(schedule, 100, 0.001))
        >>> x = oracle.data.sample((2000,))
        >>> bound = bound_estimate(d, x, num_draws=64)
        >>> bool((bound.mean() + oracle.data.log_prob(x).mean()).abs() < 0.1)  # an exact model: the bound is tight
        True
    """
    if min(num_draws, decoder_draws, rows) < 1 or len(x) < 1:
        raise ValueError(
            "`num_draws`, `decoder_draws` and `rows` must be positive and `x` must hold data; "
            f"got {num_draws}, {decoder_draws}, {rows} and {len(x)} data."
        )
    times = log_uniform_times(diffusion)
    loss = DenoisingLoss(diffusion, "likelihood", times=times)
    with random_stream(seed, x.device), evaluating(diffusion, loss):
        parts = []
        for part in torch.arange(len(x), device=x.device).split(max(1, rows // num_draws)):
            given = None if context is None else context[part]
            between = _repeated(loss.per_datum, x[part], given, num_draws) * (times.high - times.low)
            parts.append(between + _ends(diffusion, x[part], given, decoder_draws))
        return torch.cat(parts)


def _ends(diffusion: Diffusion, x: Tensor, context: Tensor | None, draws: int) -> Tensor:
    """The prior's term and the decoder's, ``[n]``."""

    def decoder(x_0: Tensor, given: Tensor | None) -> Tensor:
        first = torch.ones(x_0.shape[: x_0.dim() - len(diffusion.event_shape)], dtype=torch.long, device=x.device)
        return step_term(diffusion, x_0, first, torch.randn_like(x_0), given).nats

    return prior_term(diffusion, x) + _repeated(decoder, x, context, draws)


def _repeated(term: Callable[[Tensor, Tensor | None], Tensor], x: Tensor, context: Tensor | None, draws: int) -> Tensor:
    """The mean of a term over draws, ``[n]``; a datum's times are evenly spaced because its copies lie n apart in the batch."""
    given = None if context is None else context.expand(draws, *context.shape)
    return term(x.expand(draws, *x.shape), given).mean(0)
