r"""Radial maps: the space is stretched away from a point, or drawn towards it.

.. math::

    y = x + \beta h\,(x - x_0), \qquad h = \frac{1}{\alpha + r}, \qquad r = \|x - x_0\|, \qquad \alpha > 0,\; \beta > -\alpha .

Along a ray the radius goes to :math:`\rho = r\,(1 + \beta h)`, across it lengths grow by :math:`1 + \beta h`, so in :math:`D`
dimensions

.. math:: \log|\det J| = (D - 1) \log(1 + \beta h) + \log(1 + \alpha \beta h^2).

**Inverse.** :math:`r` is the positive root of :math:`r^2 + (\alpha + \beta - \rho)\, r - \alpha \rho = 0`, and
:math:`x - x_0 = (y - x_0)\,(\alpha + r) / (\alpha + r + \beta)`: both directions are closed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions.bijectors._ridge import bounded_slope
from probgen.distributions.bijectors.amortized import Amortized, require_features
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Radial"]

_LARGEST_LOG = math.log(1e2)


class Radial(Amortized):
    r"""A radial map around a point, :math:`y = x + \beta\,(x - x_0) / (\alpha + \|x - x_0\|)`, closed in both directions.

    It starts at the identity (:math:`\beta = 0`) with :math:`\alpha = 1` and a random center. :math:`\alpha` and
    :math:`1 + \beta / \alpha` stay within a factor of 100 of one.

    Args:
        features: Length of the vectors, at least 1.
        conditioner: A network from a context to the shift of the parameters (center, :math:`\alpha`, :math:`\beta`), ``features
            + 2`` numbers; None for a map that takes no context.
        context_shape: Trailing shape of the context, given with the conditioner.
        generator: Source of randomness for the center.

    Raises:
        ValueError: ``features`` is less than 1, or ``conditioner`` and ``context_shape`` do not come together.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

    Example:
        >>> import math, torch
        >>> from probgen.distributions.bijectors import Radial
        >>> f = Radial(2)
        >>> _ = f.raw_parameters.data.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0]))  # center, log alpha, log(1 + beta / alpha)
        >>> x = torch.tensor([3.0, 4.0])
        >>> torch.allclose(f.inverse(f(x)), x), f.exact_inverse
        (True, True)
    """

    def __init__(
        self,
        features: int,
        *,
        conditioner: nn.Module | None = None,
        context_shape: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        center = torch.randn(require_features(features), generator=generator)
        super().__init__(features, torch.cat([center, torch.zeros(2)]), conditioner, context_shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        center, alpha, beta = self._values(x, context)
        offset = x - center
        radius = _norm(offset)
        return x + offset * (beta / (alpha + radius)).unsqueeze(-1), self._log_det(radius, alpha, beta)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        center, alpha, beta = self._values(y, context)
        offset = y - center
        radius = _radius(_norm(offset), alpha, beta)
        return y - offset * (beta / (alpha + radius + beta)).unsqueeze(-1), -self._log_det(radius, alpha, beta)

    def _log_det(self, radius: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
        h = 1.0 / (alpha + radius)
        return (self.features - 1) * torch.log1p(beta * h) + torch.log1p(alpha * beta * h.square())

    def _values(self, like: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        r"""The center ``[*context_batch, features]``, :math:`\alpha` and :math:`\beta` ``[*context_batch]``."""
        raw = self._raw(like, context)
        alpha = torch.exp(soft_clip(raw[..., -2], _LARGEST_LOG))
        return raw[..., :-2], alpha, alpha * bounded_slope(raw[..., -1])


def _norm(offset: Tensor) -> Tensor:
    """The length, with derivatives that are zero at zero instead of undefined."""
    square = offset.square().sum(-1)
    positive = square > torch.finfo(square.dtype).tiny ** 0.5
    return torch.where(positive, torch.where(positive, square, 1.0).sqrt(), square)


def _radius(rho: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """The positive root of the quadratic equation, in the form without cancellation."""
    linear = rho - alpha - beta
    discriminant = (linear.square() + 4.0 * alpha * rho).sqrt()
    inward = linear < 0
    small = 2.0 * alpha * rho / torch.where(inward, discriminant - linear, 1.0)
    return torch.where(inward, small, 0.5 * (linear + discriminant))
