r"""Bayes' rule for a Gaussian law and a linear observation, in closed form.

For :math:`x \sim \mathcal N(m, V)`, :math:`y = A x + \sigma_y n` and :math:`G = A V A^\top + \sigma_y^2 I`

.. math::

    \log p(y) = \log \mathcal N(y;\, A m, G), \qquad
    \mathbb E[x \mid y] = m + V A^\top G^{-1} (y - A m).

A draw from :math:`p(x \mid y)` is a draw :math:`(x', y')` of both, corrected by the same gain (Matheron's rule):
:math:`x' + V A^\top G^{-1} (y - y')`. It needs no factorization of the posterior covariance and holds without noise, where that
covariance is singular. A mixture weighs its components by their evidence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from typing import NamedTuple

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.diffusion.conditioning.linear_observation import LinearObservation
from probgen.diffusion.conditioning.matrix_operator import gram_root
from probgen.distributions.chains import IndependentCategorical
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Update", "update"]


class Update(NamedTuple):
    r"""What an observation tells of a law.

    Attributes:
        log_evidence: :math:`\log p(y)` in nats, shape ``[*batch]``.
        mean: :math:`\mathbb E[x \mid y]`, shape ``[*batch, *event]``.
        draw: Draws from :math:`p(x \mid y)`; its argument is the sample shape.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.conditioning import LinearObservation, Masking
        >>> from probgen.diffusion.conditioning.linear_gaussian import update
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> update(dist.Normal(torch.zeros(2), 1.0).to_event(1), seen).draw(torch.Size((5,))).shape
        torch.Size([5, 2])
    """

    log_evidence: Tensor
    mean: Tensor
    draw: Callable[[torch.Size], Tensor]


@singledispatch
def update(law: TorchDistribution, observation: LinearObservation) -> Update:
    """Condition a law on a linear observation.

    Args:
        law: Over data ``[*batch, *event]``: ``Normal`` (with ``to_event``), ``MultivariateNormal`` or a mixture of the latter.
        observation: What was seen; its batch broadcasts with that of the law.

    Raises:
        NotImplementedError: no closed form is known for this kind of law.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.conditioning import LinearObservation, Masking
        >>> from probgen.diffusion.conditioning.linear_gaussian import update
        >>> law = dist.MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 0.9], [0.9, 1.0]]))
        >>> seen = LinearObservation(torch.tensor([1.0, 0.0]), Masking(torch.tensor([True, False])))
        >>> update(law, seen).mean, update(law, seen).log_evidence  # log N(1; 0, 1)
        (tensor([1.0000, 0.9000]), tensor(-1.4189))
    """
    raise NotImplementedError(f"no closed form of Bayes' rule is known for {type(law).__name__} and a linear observation.")


Gain = Callable[[Tensor], Tensor]


def _finished(observation: LinearObservation, mean: Tensor, solved: tuple[Tensor, Tensor], gain: Gain, draw: Gain) -> Update:
    """Put an update together from G^-1 (y - A m), log det G, the gain and a sampler of the law itself."""
    solution, log_det = solved
    residual = observation.residual(mean)
    present = observation.operator.present(residual).expand_as(residual)
    rank = len(observation.operator.observed_shape)
    square, count = sum_rightmost(residual * solution, rank), sum_rightmost(present, rank)
    log_evidence = -(square + log_det + count * math.log(2 * math.pi)) / 2

    def drawn(shape: torch.Size) -> Tensor:
        x = draw(torch.empty(*shape, *log_evidence.shape, *observation.event_shape, dtype=mean.dtype, device=mean.device))
        missing = observation.residual(x)
        if observation.noise:
            missing = missing + observation.noise * torch.randn_like(missing)
        return x + gain(missing)

    return Update(log_evidence, mean + gain(residual), drawn)


@update.register
def _(law: dist.Normal, observation: LinearObservation) -> Update:
    mean, scale = law.loc, law.scale
    variance, operator, noise = scale.square(), observation.operator, observation.noise**2

    def gain(residual: Tensor) -> Tensor:
        return variance * operator.transpose(operator.solve(residual, variance, noise)[0])

    solved = operator.solve(observation.residual(mean), variance, noise)
    return _finished(observation, mean, solved, gain, lambda x: mean + scale * torch.randn_like(x))


@update.register
def _(law: dist.Independent, observation: LinearObservation) -> Update:
    return update(law.base_dist, observation)


@update.register
def _(law: dist.MultivariateNormal, observation: LinearObservation) -> Update:
    mean, root, operator = law.loc, law.scale_tril, observation.operator
    matrix, present = operator.dense(mean), operator.present(observation.value.to(mean))
    cross = root @ (matrix @ root).mT  # V A^T
    diagonal = torch.where(present > 0, observation.noise**2, torch.ones_like(present))  # in the dtype of the law
    diagonal = diagonal.flatten(present.dim() - len(operator.observed_shape))
    factor = gram_root(matrix @ cross + torch.diag_embed(diagonal))
    shape = observation.operator.observed_shape

    def solve(residual: Tensor) -> Tensor:
        flat = residual.flatten(residual.dim() - len(shape)).unsqueeze(-1)
        return torch.cholesky_solve(flat, factor.expand(*flat.shape[:-2], *factor.shape[-2:]))

    def gain(residual: Tensor) -> Tensor:
        return (cross @ solve(residual)).squeeze(-1)

    residual = observation.residual(mean)
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    solved = solve(residual).squeeze(-1).reshape(residual.shape), log_det
    return _finished(observation, mean, solved, gain, lambda x: mean + (root @ torch.randn_like(x).unsqueeze(-1)).squeeze(-1))


@update.register
def _(law: dist.MixtureSameFamily, observation: LinearObservation) -> Update:
    parts = update(law.component_distribution, observation.unsqueeze())
    rank = len(law.event_shape)
    joint = law.mixture_distribution.logits.log_softmax(-1) + parts.log_evidence
    weights = joint.softmax(-1)

    def drawn(shape: torch.Size) -> Tensor:
        draws = parts.draw(shape)
        which = IndependentCategorical(joint, 0).sample(shape)
        index = which.reshape(*which.shape, 1, *(1,) * rank).expand(*which.shape, 1, *law.event_shape)
        return draws.gather(which.dim(), index).squeeze(which.dim())

    mean = (weights.reshape(*weights.shape, *(1,) * rank) * parts.mean).sum(-1 - rank)
    return Update(joint.logsumexp(-1), mean, drawn)
