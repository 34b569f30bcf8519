r"""The law of :math:`a\,X + b + \sqrt v\,Z` with :math:`Z \sim \mathcal N(0, I)` and X Gaussian or a mixture, in closed form.

This one rule gives every reverse kernel of a Gaussian chain. With :math:`p(x_0 \mid x_t)` any law that a denoiser reports,

.. math:: p(x_s \mid x_t) = \int q(x_s \mid x_t, x_0)\, p(x_0 \mid x_t)\,\mathrm dx_0

is the law of :math:`c_0 X_0 + c_t x_t + \sqrt{\tilde v} Z`. A point mass gives the "fixed small" variance :math:`\tilde v`, a
variance :math:`\sigma_t^2` "fixed large", a learned one "learned", Tweedie's covariance "analytic", and the true posterior the
true reverse kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from probgen.distributions.events import checked, normal_over_event

__all__ = ["affine_gaussian"]

Rule = Callable[..., TorchDistribution]


def affine_gaussian(law: Distribution, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    r"""The law of :math:`a X + b + \sqrt v Z`.

    Args:
        law: Of X, over events of any shape: ``Delta``, ``Normal`` (with ``to_event``), ``MultivariateNormal`` and
            ``LowRankMultivariateNormal`` over vectors, or a ``MixtureSameFamily`` of these.
        scale: The number a, shape ``[*batch, 1, ..., 1]`` over the event, or a scalar.
        shift: The vector b, shape ``[*batch, *event]``.
        variance: The number v, shaped as ``scale``.

    Raises:
        NotImplementedError: no closed form is known for this kind of law.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains.pushforward import affine_gaussian
        >>> pushed = affine_gaussian(
        ...     dist.Normal(torch.ones(2), 2.0).to_event(1), torch.tensor(3.0), torch.zeros(2), torch.tensor(13.0)
        ... )
        >>> pushed.mean, pushed.variance
        (tensor([3., 3.]), tensor([49., 49.]))
    """
    for kind, rule in _RULES:
        if isinstance(law, kind):
            return rule(law, scale, shift, variance)
    raise NotImplementedError(f"no closed form of an affine map with Gaussian noise is known for {type(law).__name__}.")


def _of_delta(law: dist.Delta, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    return normal_over_event(scale * law.v + shift, variance.sqrt(), law.event_dim)


def _of_normal(law: Normal, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    return normal_over_event(scale * law.loc + shift, torch.sqrt(variance + (scale * law.scale).square()), 0)


def _of_independent(law: Independent[Distribution], scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    base = affine_gaussian(law.base_dist, scale, shift, variance)
    return cast(TorchDistribution, base.to_event(law.reinterpreted_batch_ndims))


def _of_multivariate(law: MultivariateNormal, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    mean = scale * law.loc + shift
    spread, noise = _over_columns(scale), _over_columns(variance)
    identity = torch.eye(law.event_shape[0], dtype=shift.dtype, device=shift.device)
    covariance = spread.square() * law.covariance_matrix + noise * identity
    return dist.MultivariateNormal(mean, covariance, validate_args=checked(mean))


def _of_low_rank(law: LowRankMultivariateNormal, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    mean = scale * law.loc + shift
    factor, diagonal = _over_columns(scale) * law.cov_factor, scale.square() * law.cov_diag + variance
    return dist.LowRankMultivariateNormal(mean, factor, diagonal, validate_args=checked(mean))


def _of_mixture(law: MixtureSameFamily, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    over = -1 - len(law.event_shape)
    components = affine_gaussian(
        law.component_distribution,
        scale.unsqueeze(over) if scale.dim() else scale,
        shift.unsqueeze(over),
        variance.unsqueeze(over) if variance.dim() else variance,
    )
    mixture = dist.MixtureSameFamily(law.mixture_distribution, components, validate_args=checked(shift))
    return cast(TorchDistribution, mixture)


def _over_columns(coefficient: Tensor) -> Tensor:
    """From a coefficient over vectors to one over matrices."""
    return coefficient.unsqueeze(-1) if coefficient.dim() else coefficient


_RULES: tuple[tuple[type, Rule], ...] = (
    (dist.Delta, _of_delta),
    (Normal, _of_normal),
    (Independent, _of_independent),
    (MultivariateNormal, _of_multivariate),
    (LowRankMultivariateNormal, _of_low_rank),
    (MixtureSameFamily, _of_mixture),
)
