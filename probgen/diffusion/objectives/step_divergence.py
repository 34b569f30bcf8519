r"""The divergence of one reverse step from the true one, in closed form and without cancellation.

Both kernels push a law of :math:`x_0` through :math:`q(x_s \mid x_t, x_0)`, of which only two numbers matter: with
:math:`\rho = \mathrm{SNR}_s - \mathrm{SNR}_t` the true one has variance :math:`\tilde v`, the model's
:math:`\tilde v (I + \rho\Sigma)` if its law of :math:`x_0` has covariance :math:`\Sigma`, and the means differ by
:math:`\sqrt{\tilde v}\, d` with :math:`d = \sqrt\rho\,(\hat x_0 - x_0)`. Hence

.. math::

    \mathrm{KL}\bigl(q(x_s \mid x_t, x_0) \,\|\, p(x_s \mid x_t)\bigr)
    = \tfrac12 \bigl[ \log\det M - \operatorname{tr}(I - M^{-1}) + d^\top M^{-1} d \bigr], \qquad M = I + \rho\Sigma .

A point mass leaves :math:`\tfrac12 \|d\|^2`, the weight :math:`\tfrac12(\mathrm{SNR}_s - \mathrm{SNR}_t)` of the squared error.
"""

from __future__ import annotations

from functools import singledispatch

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from torch import Tensor

from probgen.distributions.events import normal_over_event, over_event
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["step_divergence", "with_constant_mean"]


@singledispatch
def step_divergence(law: TorchDistribution, scaled_error: Tensor, snr_lost: Tensor) -> Tensor:
    r"""KL divergence in nats, shape ``[*batch]``, of the true reverse kernel from the one that a law of the data makes.

    Args:
        law: Of :math:`x_0` given :math:`x_t`: ``Delta``, ``Normal`` (with ``to_event``) or ``MultivariateNormal``.
        scaled_error: :math:`\sqrt\rho\,(\hat x_0 - x_0)`, shape ``[*batch, *event]``.
        snr_lost: :math:`\rho = \mathrm{SNR}_s - \mathrm{SNR}_t`, broadcasting with the batch.

    Raises:
        NotImplementedError: there is no closed form for such a law.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.objectives.step_divergence import step_divergence
        >>> step_divergence(dist.Delta(torch.zeros(2), event_dim=1), torch.tensor([1.0, 2.0]), torch.tensor(1.0))
        tensor(2.5000)
    """
    raise NotImplementedError(f"no closed form of a step's divergence is known for {type(law).__name__}.")


@step_divergence.register
def _(law: dist.Delta, scaled_error: Tensor, snr_lost: Tensor) -> Tensor:
    return sum_rightmost(scaled_error.square(), len(law.event_shape)) / 2


@step_divergence.register
def _(law: dist.Independent, scaled_error: Tensor, snr_lost: Tensor) -> Tensor:
    if not isinstance(law.base_dist, dist.Normal):
        raise NotImplementedError(f"no closed form of a step's divergence is known for {law}.")
    return _normal(law.base_dist.scale, scaled_error, snr_lost, len(law.event_shape))


@step_divergence.register
def _(law: dist.Normal, scaled_error: Tensor, snr_lost: Tensor) -> Tensor:
    return _normal(law.scale, scaled_error, snr_lost, 0)


def _normal(scale: Tensor, scaled_error: Tensor, snr_lost: Tensor, event_dim: int) -> Tensor:
    u = over_event(snr_lost.sqrt(), event_dim, scale).mul(scale).square()
    return sum_rightmost(torch.log1p(u) + (scaled_error.square() - u) / (1 + u), event_dim) / 2


@step_divergence.register
def _(law: dist.MultivariateNormal, scaled_error: Tensor, snr_lost: Tensor) -> Tensor:
    dim = law.event_shape[0]
    identity = torch.eye(dim, dtype=scaled_error.dtype, device=scaled_error.device)
    factor = torch.linalg.cholesky(identity + over_event(snr_lost, 2, scaled_error) * law.covariance_matrix)
    log_det = 2 * factor.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    whitened = torch.linalg.solve_triangular(factor, scaled_error.unsqueeze(-1), upper=False).squeeze(-1)
    inverse = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
    trace = inverse.square().sum((-2, -1))
    total: Tensor = log_det - dim + trace + whitened.square().sum(-1)
    return total / 2


def with_constant_mean(law: TorchDistribution) -> TorchDistribution:
    """The same normal law, without a gradient through its mean.

    Args:
        law: A normal law, with ``to_event``.

    Raises:
        TypeError: it is no normal law.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.objectives.step_divergence import with_constant_mean
        >>> loc = torch.zeros(2, requires_grad=True)
        >>> with_constant_mean(dist.Normal(loc, 1.0).to_event(1)).mean.requires_grad
        False
    """
    base = law.base_dist if isinstance(law, dist.Independent) else law
    if not isinstance(base, dist.Normal):
        raise TypeError(f"only the mean of a normal law can be held constant; got {law}.")
    return normal_over_event(base.loc.detach(), base.scale, len(law.event_shape))
