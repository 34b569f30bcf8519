r"""The bound of a chain, term by term and datum by datum.

.. math::

    -\log p(x_0) \le \underbrace{\mathrm{KL}(q(x_N \mid x_0) \,\|\, p(x_N))}_{L_N}
    + \sum_{i=2}^{N} \underbrace{\mathbb E_q\,\mathrm{KL}(q(x_{i-1} \mid x_i, x_0) \,\|\, p(x_{i-1} \mid x_i))}_{L_{i-1}}
    + \underbrace{\mathbb E_q[-\log p(x_0 \mid x_1)]}_{L_0} .

Step i of the chain, from :math:`t_i` to :math:`t_{i-1}`, owns the term :math:`L_{i-1}`; step 1 is the decoder. Every term
needs one evaluation of the denoiser at :math:`x_i \sim q(x_i \mid x_0)`, so N terms, or one of N for every datum, are one
batched call. The prior's term needs none. The page "The bound of a diffusion model" derives the two forms of the bound and
compares their variances.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.objectives.prediction_error import PredictionError, noised, prediction_error
from probgen.diffusion.objectives.step_divergence import step_divergence, with_constant_mean
from probgen.distributions.chains import Denoised, NoiseLevel, default_decoder, posterior_coefficients
from probgen.distributions.chains.pushforward import affine_gaussian
from probgen.distributions.events import over_event, placed, scored
from probgen.distributions.numerics.stable import sum_rightmost

if TYPE_CHECKING:
    from probgen.diffusion.model import Diffusion

__all__ = ["StepTerm", "prior_term", "step_term"]


class StepTerm(NamedTuple):
    """One term of the bound for every datum.

    Attributes:
        nats: The term, shape ``[*batch]``.
        prediction: The error of the network's prediction, from the same evaluation.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.chain_bound import StepTerm
        >>> from probgen.diffusion.objectives.prediction_error import PredictionError
        >>> StepTerm(torch.zeros(4), PredictionError(torch.zeros(4, 2), torch.ones(4))).nats.shape
        torch.Size([4])
    """

    nats: Tensor
    prediction: PredictionError


def prior_term(diffusion: Diffusion, x_0: Tensor) -> Tensor:
    r"""The term :math:`L_N = \mathrm{KL}(q(x_N \mid x_0) \,\|\, p(x_N))` in nats, shape ``[*batch]``; no network is involved.

    In closed form where one is registered, by one draw elsewhere.

    Args:
        diffusion: The model.
        x_0: Data ``[*batch, *event]``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.objectives import prior_term
        >>> d = pg.diffusion.Diffusion(torch.nn.Identity(), pg.diffusion.linear_schedule(), event_shape=(2,))
        >>> round(float(prior_term(d, torch.ones(1, 2).double())) * 1e5, 3)  # next to nothing is left of the datum
        4.036
    """
    last = diffusion.grid.times[-1]
    given = diffusion._prior
    if given is None:  # N(0, (alpha^2 + sigma^2) I), written out so that nothing is read on the host
        level, rank = diffusion.schedule.level(last), len(diffusion.event_shape)
        total = level.alpha.square() + level.sigma.square()
        signal, noise = (over_event(value.square() / total, 0, x_0) for value in (level.alpha, level.sigma))
        return sum_rightmost(signal * (x_0.square() - 1) - noise.log(), rank) / 2
    prior = placed(given, x_0)
    q = diffusion.process.marginal(x_0, float(last))
    try:
        return torch.distributions.kl_divergence(q, prior)
    except NotImplementedError:
        x = q.rsample()
        return q.log_prob(x) - prior.log_prob(x)


def step_term(
    diffusion: Diffusion,
    x_0: Tensor,
    step: Tensor,
    noise: Tensor,
    context: Tensor | None = None,
    *,
    constant_mean: bool = False,
) -> StepTerm:
    r"""The term of one step for every datum: unbiased for :math:`L_{i-1}` over the noise.

    Args:
        diffusion: The model.
        x_0: Data ``[*batch, *event]``.
        step: The step i of each datum, 1 to N, shape ``[*batch]``.
        noise: Standard normal noise, shaped as the data.
        context: Shape ``[*batch, *context_shape]``, if the network takes one.
        constant_mean: Let no gradient through the mean into the term, only through its variance (for ``HybridLoss``).

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.objectives import step_term
        >>> from probgen.distributions.chains import GaussianDenoiser
        >>> schedule = pg.diffusion.linear_schedule(10)
        >>> oracle = GaussianDenoiser(schedule, torch.zeros(1), torch.tensor(1.0))
        >>> d = pg.diffusion.Diffusion(oracle, schedule, event_shape=(1,), grid=10)
        >>> x = torch.zeros(10, 1)
        >>> term = step_term(d, x, torch.arange(1, 11), torch.zeros(10, 1)).nats  # x_0 and its prediction are zero
        >>> bool((term[1:] >= 0).all()), round(float(term[0]), 2)
        (True, -3.69)
    """
    denoiser = diffusion.denoiser
    times = diffusion.grid.times.to(x_0.device)
    t = times[step]
    last = step == 1
    s = torch.where(last, t / 2, times[step - 1])  # the last step has no divergence; any time with noise stands in for it
    level, next_level = diffusion.schedule.level(t), diffusion.schedule.level(s)
    x_t = noised(x_0, noise, level, denoiser.event_dim)
    prediction, law = denoiser.predict_and_posterior(x_t, level, context)
    error = prediction_error(denoiser, prediction, x_0, noise, level)
    if constant_mean:
        law = with_constant_mean(law)
    judged = PredictionError(error.error.detach(), error.scale) if constant_mean else error
    divergence = _divergence(law, judged, x_0, x_t, next_level, level)
    decoder = default_decoder if diffusion.decoder is None else diffusion.decoder
    reconstruction = -scored(decoder(Denoised(law, x_t, level)), x_0)
    return StepTerm(torch.where(last, reconstruction, divergence), error)


def _divergence(
    law: TorchDistribution, error: PredictionError, x_0: Tensor, x_t: Tensor, s: NoiseLevel, t: NoiseLevel
) -> Tensor:
    """The divergence of a step, in closed form or by a draw of the next state."""
    rank = len(law.event_shape)
    lost = -torch.expm1(t.log_snr - s.log_snr) * s.snr
    scale = over_event(lost.sqrt() * error.scale, rank, error.error)
    try:
        return step_divergence(law, scale * error.error, lost)
    except NotImplementedError:
        data, noisy, variance = (over_event(value, rank, x_t) for value in posterior_coefficients(s, t))
        truth = dist.Normal(data * x_0 + noisy * x_t, variance.sqrt()).to_event(rank)
        x_s = truth.rsample()
        return cast(Tensor, truth.log_prob(x_s) - affine_gaussian(law, data, noisy * x_t, variance).log_prob(x_s))
