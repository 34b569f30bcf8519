r"""Planar maps: the space is stretched or compressed across one plane.

.. math::

    y = x + \hat u \tanh(w^\top x + b), \qquad
    \log|\det J| = \log\bigl(1 + k\,(1 - \tanh^2(w^\top x + b))\bigr), \qquad k = w^\top \hat u,

by the matrix determinant lemma. The map is invertible if and only if :math:`k > -1`. Rezende and Mohamed reach that by
:math:`\hat u = u + (m(w^\top u) - w^\top u)\, w / \|w\|^2` with :math:`m(a) = \log(1 + e^a) - 1`; here

.. math:: m(a) = a \;\text{ for } a \ge 0, \qquad m(a) = \ell\,(e^{a / \ell} - 1) \;\text{ for } a < 0, \qquad \ell = 0.99,

so that :math:`u = 0` is the identity, :math:`\hat u` has no jump at :math:`w = 0`, and slopes stay above 0.01.

**Inverse.** With :math:`t = w^\top x`, the equation :math:`w^\top y = t + k \tanh(t + b)` is increasing in one unknown and is
solved numerically; then :math:`x = y - \hat u \tanh(t + b)`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from probgen.distributions.bijectors._ridge import ridge, ridge_inverse
from probgen.distributions.bijectors.amortized import Amortized, require_features
from probgen.distributions.numerics.stable import soft_clip

__all__ = ["Planar"]

_LOWEST = 0.99
_BOUND = 10.0
_TINY = 1e-12


class Planar(Amortized):
    r"""A planar map, :math:`y = x + \hat u \tanh(w^\top x + b)`: the forward map is closed, the inverse is iterative.

    It starts at the identity (:math:`u = 0`) with a random plane. The numbers in :math:`w` and :math:`u` stay within 10.

    Args:
        features: Length of the vectors, at least 1.
        conditioner: A network from a context to the shift of :math:`(w, u, b)`, ``2 * features + 1`` numbers; None for a map
            that takes no context.
        context_shape: Trailing shape of the context, given with the conditioner.
        generator: Source of randomness for the plane.

    Raises:
        ValueError: ``features`` is less than 1, or ``conditioner`` and ``context_shape`` do not come together.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Planar
        >>> f = Planar(2)
        >>> _ = f.raw_parameters.data.copy_(torch.tensor([1.0, 0.0, 1.0, 5.0, 0.0]))  # w, u, b
        >>> y, log_det = f.forward_and_log_det(torch.zeros(2))
        >>> log_det.exp().round(decimals=2), torch.allclose(f.inverse(f(torch.ones(2))), torch.ones(2))
        (tensor(1.9900, grad_fn=<RoundBackward1>), True)
    """

    exact_inverse = False
    fast_direction = "forward"

    def __init__(
        self,
        features: int,
        *,
        conditioner: nn.Module | None = None,
        context_shape: Sequence[int] | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        normal = torch.randn(require_features(features), generator=generator) / math.sqrt(features)
        super().__init__(features, torch.cat([normal, torch.zeros(features + 1)]), conditioner, context_shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        w, u, bias, slope = self._values(x, context)
        _, log_det, bend = ridge((w * x).sum(-1), slope, bias)
        return x + u * bend.unsqueeze(-1), log_det

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        w, u, bias, slope = self._values(y, context)
        _, log_det, bend = ridge_inverse((w * y).sum(-1), slope, bias)
        return y - u * bend.unsqueeze(-1), -log_det

    def _values(self, like: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        r""":math:`w`, :math:`\hat u` ``[*context_batch, features]``, :math:`b` and :math:`k` ``[*context_batch]``."""
        raw = self._raw(like, context)
        w, u = soft_clip(raw[..., : 2 * self.features], _BOUND).split(self.features, -1)
        inner, square = (w * u).sum(-1, keepdim=True), w.square().sum(-1, keepdim=True) + _TINY
        excess = _LOWEST * F.elu(inner / _LOWEST) - inner
        u = u + excess * w / square
        slope = inner + excess * (square - _TINY) / square
        return w, u, raw[..., -1], slope.squeeze(-1)
