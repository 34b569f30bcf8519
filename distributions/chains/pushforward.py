r"""The law of :math:`a\,X + b + \sqrt v\,Z` with :math:`Z \sim \mathcal N(0, I)` and X Gaussian or a mixture, in closed form.

This one rule gives every reverse kernel of a Gaussian chain. With :math:`p(x_0 \mid x_t)` any law that a denoiser reports,

.. math:: p(x_s \mid x_t) = \int q(x_s \mid x_t, x_0)\, p(x_0 \mid x_t)\,\mathrm dx_0

is the law of :math:`c_0 X_0 + c_t x_t + \sqrt{\tilde v} Z`. A point mass gives the "fixed small" variance :math:`\tilde v`, a
variance :math:`\sigma_t^2` "fixed large", a learned one "learned", Tweedie's covariance "analytic", and the true posterior the
true reverse kernel.
"""

from __future__ import annotations

from functools import singledispatch
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.chains.events import normal_over_event

__all__ = ["affine_gaussian"]


@singledispatch
def affine_gaussian(law: TorchDistribution, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    r"""The law of :math:`a X + b + \sqrt v Z`.

    Args:
        law: Of X, over events of any shape: ``Delta``, ``Normal`` (with ``to_event``), ``MultivariateNormal`` over vectors, or
            a ``MixtureSameFamily`` of these.
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
    raise NotImplementedError(f"no closed form of an affine map with Gaussian noise is known for {type(law).__name__}.")


@affine_gaussian.register
def _(law: dist.Delta, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    return normal_over_event(scale * law.v + shift, variance.sqrt(), law.event_dim)


@affine_gaussian.register
def _(law: dist.Normal, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    return dist.Normal(scale * law.loc + shift, torch.sqrt(variance + (scale * law.scale).square()))


@affine_gaussian.register
def _(law: dist.Independent, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    base = affine_gaussian(law.base_dist, scale, shift, variance)
    return cast(TorchDistribution, base.to_event(law.reinterpreted_batch_ndims))


@affine_gaussian.register
def _(law: dist.MultivariateNormal, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    spread = scale.unsqueeze(-1) if scale.dim() else scale
    noise = variance.unsqueeze(-1) if variance.dim() else variance
    identity = torch.eye(law.event_shape[0], dtype=shift.dtype, device=shift.device)
    return dist.MultivariateNormal(scale * law.loc + shift, spread.square() * law.covariance_matrix + noise * identity)


@affine_gaussian.register
def _(law: dist.MixtureSameFamily, scale: Tensor, shift: Tensor, variance: Tensor) -> TorchDistribution:
    over = -1 - len(law.event_shape)
    components = affine_gaussian(
        law.component_distribution,
        scale.unsqueeze(over) if scale.dim() else scale,
        shift.unsqueeze(over) if law.event_shape else shift.unsqueeze(-1),
        variance.unsqueeze(over) if variance.dim() else variance,
    )
    return cast(TorchDistribution, dist.MixtureSameFamily(law.mixture_distribution, components))
