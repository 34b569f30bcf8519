r"""Every term of the bound for every datum, with the errors of the denoiser at every time.

The table is :math:`L_0, L_1, \dots, L_N` in nats: the decoder, the divergence of each step, the prior. The expectation over
the noise is taken by Monte Carlo, the divergences given the noisy state in closed form; all N terms of a datum are batched
calls of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.diffusion.objectives.chain_bound import prior_term, step_term
from probgen.distributions.numerics.stable import sum_rightmost

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["BoundTerms", "bound_terms"]


@dataclass(frozen=True)
class BoundTerms:
    r"""The terms of the bound, datum by datum.

    Attributes:
        nats: :math:`L_0, \dots, L_N` in nats, shape ``[n, N + 1]``.
        stderr: Their Monte Carlo standard errors, same shape; NaN from a single draw, zero for :math:`L_N` in closed form.
        x0_error: Mean squared error of a coordinate of :math:`\hat x_0` at the times 1 .. N, shape ``[n, N]``.
        eps_error: The same of :math:`\hat\varepsilon`.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion import bound_terms
        >>> d = pg.diffusion.Diffusion(
        ...     pg.nn.DenoisingMLP(2, hidden=(8,)), pg.diffusion.cosine_schedule(), event_shape=(2,), grid=10
        ... )
        >>> terms = bound_terms(d, torch.randn(4, 2), num_draws=2)
        >>> terms.nats.shape, terms.total.shape, terms.eps_error.shape
        (torch.Size([4, 11]), torch.Size([4]), torch.Size([4, 10]))
    """

    nats: Tensor
    stderr: Tensor
    x0_error: Tensor
    eps_error: Tensor

    @property
    def total(self) -> Tensor:
        r"""The negative ELBO of every datum in nats, shape ``[n]``."""
        return self.nats.sum(-1)

    @property
    def total_stderr(self) -> Tensor:
        """Its Monte Carlo standard error, shape ``[n]``; the terms' noises are independent."""
        return self.stderr.square().sum(-1).sqrt()


def bound_terms(
    diffusion: Diffusion, x: Tensor, context: Tensor | None = None, *, num_draws: int = 1, rows: int = 4096
) -> BoundTerms:
    r"""Evaluate every term of the bound, without gradients.

    Args:
        diffusion: The model; it is evaluated as it is, in training or evaluation mode.
        x: Data ``[n, *event]``.
        context: Shape ``[n, *context_shape]``, if the network takes one.
        num_draws: Draws of the noise for each datum and step.
        rows: How many noisy states the network sees at once.

    Raises:
        ValueError: no data, or counts that are not positive.
        ContextError: a missing, mis-sized or unused context.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion import bound_terms
        >>> from probgen.distributions.chains import GaussianDenoiser
        >>> schedule = pg.diffusion.linear_schedule(10, 0.1, 0.5)
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(1).double(), torch.tensor(0.25).double())
        >>> d = pg.diffusion.Diffusion(oracle, schedule, event_shape=(1,), grid=10)
        >>> bool((bound_terms(d, torch.zeros(3, 1).double()).nats[:, 1:] >= 0).all())  # divergences
        True
    """
    diffusion.denoiser.check(x, context)
    if x.dim() != len(diffusion.event_shape) + 1 or len(x) == 0:
        raise ValueError(f"`x` must have shape [n, *{diffusion.event_shape}] with n >= 1; got {tuple(x.shape)}.")
    if num_draws < 1 or rows < 1:
        raise ValueError(f"`num_draws` and `rows` must be at least 1; got {num_draws} and {rows}.")
    pieces = []
    with torch.no_grad():
        for first in range(0, len(x), rows):
            part = slice(first, first + rows)
            given = None if context is None else context.expand(len(x), *context.shape[1:])[part]
            pieces.append(_terms(diffusion, x[part], given, num_draws, rows))
    return BoundTerms(*(torch.cat(columns) for columns in zip(*pieces, strict=True)))


def _terms(
    diffusion: Diffusion, x: Tensor, context: Tensor | None, num_draws: int, rows: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The four columns of the table for one part of the data."""
    steps = torch.arange(1, len(diffusion.grid) + 1, device=x.device)
    draws = []
    for _ in range(num_draws):
        chunks = [_chunk(diffusion, x, context, part) for part in steps.split(max(1, rows // len(x)))]
        draws.append(torch.cat(chunks, 1))
    stacked = torch.stack(draws).double()  # [draws, 3, N, n]
    nats, x0_error, eps_error = stacked.mean(0).movedim(-1, 1)  # each [n, N]
    spread = stacked[:, 0].std(0).T / math.sqrt(num_draws) if num_draws > 1 else torch.full_like(nats, math.nan)
    prior = prior_term(diffusion, x).double().unsqueeze(-1)
    return torch.cat([nats, prior], -1), torch.cat([spread, torch.zeros_like(prior)], -1), x0_error, eps_error


def _chunk(diffusion: Diffusion, x: Tensor, context: Tensor | None, steps: Tensor) -> Tensor:
    """Terms and mean squared errors of some steps for all data, ``[3, steps, n]``."""
    rank = len(diffusion.event_shape)
    many = x.expand(len(steps), *x.shape)
    given = None if context is None else context.expand(len(steps), *context.shape)
    each = steps.unsqueeze(-1).expand(len(steps), len(x))
    term = step_term(diffusion, many, each, torch.randn_like(many), given)
    level = diffusion.schedule.level(diffusion.grid.times.to(x.device)[each])
    square = sum_rightmost(term.prediction.error.square(), rank) / max(math.prod(diffusion.event_shape), 1)
    x0_error = term.prediction.scale.square() * square
    eps_error = (level.log_snr / 2).exp().mul(term.prediction.scale).square() * square
    return torch.stack([term.nats.double(), x0_error.double(), eps_error.double()])
