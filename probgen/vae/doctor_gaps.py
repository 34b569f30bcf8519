r"""What inference loses: the amortization gap and the approximation gap.

.. math::

    \log p(x) - \mathrm{ELBO}(x; q_\phi) = \underbrace{\mathrm{ELBO}(x; q^\ast) - \mathrm{ELBO}(x;
    q_\phi)}_{\text{amortization}} + \underbrace{\log p(x) - \mathrm{ELBO}(x; q^\ast)}_{\text{approximation}}, \qquad
    q^\ast = \arg\max_{q \in \mathcal Q} \mathrm{ELBO}(x; q)

The encoder has to answer for every datum at once; :math:`q^\ast` is found for one datum by gradient steps that start from the
encoder's answer, in units of its standard deviations. What is left is the price of the family :math:`\mathcal Q`, here
normal laws with independent coordinates. The evidence is estimated by importance sampling from :math:`q^\ast`, from below: the
approximation gap is at least what is shown.

References:
    Cremer, Li, Duvenaud (2018). Inference suboptimality in variational autoencoders. https://arxiv.org/abs/1801.03558
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions import LatentVariable
from probgen.distributions.estimate import Estimate
from probgen.distributions.events import coordinates, normal_over_event
from probgen.distributions.latent import MarginalDistribution
from probgen.distributions.latent.marginal import passes
from probgen.vae.diagnosis import Gaps, Mean

__all__ = ["inference_gaps", "optimized_posterior"]

Evidence = Callable[[MarginalDistribution, Tensor], Estimate]
_LEARNING_RATE = 0.1


def optimized_posterior(law: LatentVariable, x: Tensor, *, steps: int = 200, num_draws: int = 8) -> TorchDistribution:
    r"""The normal law with independent coordinates that maximizes the bound of every datum, from the encoder's answer.

    Args:
        law: The law of the data.
        x: Data ``[n, *event]``.
        steps: Steps of Adam on mean and standard deviation; the second half is averaged.
        num_draws: Draws a step.

    Returns:
        One law for every datum, without gradients.

    Raises:
        ValueError: the encoder's laws are not normal with independent coordinates.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import LatentVariable, standard_normal
        >>> from probgen.vae.doctor_gaps import optimized_posterior
        >>> p = LatentVariable(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(0 * x, 1.0))
        >>> _ = torch.manual_seed(0)
        >>> q = optimized_posterior(p, torch.tensor([2.0]))  # the posterior is N(1, 1/2)
        >>> round(q.mean.item(), 1), round(q.variance.item(), 1)
        (1.0, 0.5)
    """
    start = coordinates(law.posterior(x))
    if not isinstance(start, torch.distributions.Normal):
        raise ValueError("`law` must have an encoder whose laws are normal with independent coordinates.")  # noqa: TRY004
    rank = len(law.prior.event_shape)
    loc, scale = start.loc.detach(), start.scale.detach().expand_as(start.loc)
    steps_taken = torch.zeros((2, *loc.shape), dtype=loc.dtype, device=loc.device, requires_grad=True)
    optimizer = torch.optim.Adam([steps_taken], lr=_LEARNING_RATE)
    average = torch.zeros_like(steps_taken)
    with torch.enable_grad():
        for step in range(steps):
            shift, growth = steps_taken
            q = normal_over_event(loc + scale * shift, scale * growth.exp(), rank)
            loss = -_with_posterior(law, q).elbo(x, num_draws).sum()
            (steps_taken.grad,) = torch.autograd.grad(loss, steps_taken)
            optimizer.step()
            if step >= steps // 2:
                average = average + steps_taken.detach() / (steps - steps // 2)
    return normal_over_event(loc + scale * average[0], scale * average[1].exp(), rank)


def inference_gaps(
    law: MarginalDistribution, x: Tensor, *, num_draws: int = 1024, steps: int = 200, evidence: Evidence | None = None
) -> Gaps:
    """Measure what the bound loses.

    Args:
        law: The law of the data.
        x: Data ``[n, *event]``; a few dozen are enough.
        num_draws: Draws for every bound and for the evidence.
        steps: Steps of the optimization of every datum's posterior; 0 to leave it out.
        evidence: Estimates log p(x) of every datum from a law and data; by default importance sampling from the best posterior
            that was found.

    Returns:
        The gaps; amortization and approximation are told apart where the encoder's laws are normal with independent
        coordinates.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import LatentVariable, standard_normal
        >>> from probgen.vae.doctor_gaps import inference_gaps
        >>> p = LatentVariable(standard_normal(), lambda z: dist.Normal(z, 1.0), lambda x: dist.Normal(0 * x, 1.0))
        >>> _ = torch.manual_seed(0)
        >>> gaps = inference_gaps(p, torch.tensor([2.0, -2.0]))  # the posteriors, N(+-1, 1/2), are normal, too
        >>> abs(gaps.amortization.value - 1.153) < 0.1, abs(gaps.approximation.value) < 0.05
        (True, True)
    """
    normal = isinstance(law, LatentVariable) and isinstance(coordinates(law.posterior(x)), torch.distributions.Normal)
    proposal = law
    if normal and steps > 0:
        proposal = _with_posterior(law, optimized_posterior(law, x, steps=steps))
    with torch.no_grad():
        bound = _bound(law, x, num_draws)
        estimate = _evidence(proposal, num_draws)(law, x) if evidence is None else evidence(law, x)
        log_p = estimate.value
        if proposal is law:
            return Gaps(len(x), _mean(bound), None, _mean(log_p), None, None, _mean(log_p - bound))
        best = _bound(proposal, x, num_draws)
        return Gaps(
            len(x), _mean(bound), _mean(best), _mean(log_p), _mean(best - bound), _mean(log_p - best), _mean(log_p - bound)
        )


def _with_posterior(law: Any, posterior: TorchDistribution) -> LatentVariable:
    return LatentVariable(law.prior, law.decoder, lambda _: posterior, event_shape=law.event_shape)


def _evidence(proposal: MarginalDistribution, num_draws: int) -> Evidence:
    return lambda _, x: proposal.log_prob_estimate(x, num_draws)


def _bound(law: MarginalDistribution, x: Tensor, num_draws: int) -> Tensor:
    """The bound of every datum, averaged over draws in passes that bound the memory."""
    return torch.stack([count * law.elbo(x, count) for count in passes(num_draws, 64)]).sum(0) / num_draws


def _mean(values: Tensor) -> Mean:
    spread = float(values.double().std()) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Mean(float(values.double().mean()), spread)
