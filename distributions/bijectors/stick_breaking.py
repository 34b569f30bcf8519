r"""Stick-breaking: :math:`\mathbb R^{n-1}` onto the simplex, accurate at its corners.

A stick of length one is broken :math:`n - 1` times; break :math:`k` takes the share :math:`\sigma(z_k)` of what is left, with
:math:`z_k = x_k - \log(n - k)`, so that zero goes to the center. With :math:`r_k = \prod_{j<k} \sigma(-z_j)`, the length that
is left,

.. math::

    y_k = \sigma(z_k)\, r_k, \quad y_n = r_n, \qquad
    \mathrm{FLDJ} = \sum_{k=1}^{n-1} \big(\log\sigma(z_k) + \log\sigma(-z_k) + \log r_k\big), \qquad
    z_k = \log y_k - \log \sum_{j > k} y_j .

The log-determinant is that of all coordinates but the last. Everything stays in logarithms: torch's transform computes
:math:`1 - \sigma(z)`, which is zero in float32 from :math:`z = 17` on.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.nn.functional import logsigmoid

from probgen.distributions.bijectors.base import Bijector

__all__ = ["StickBreaking"]


class StickBreaking(Bijector):
    r""":math:`n - 1` real numbers to :math:`n` proportions that sum to one.

    Domain: vectors of any length. Codomain: the simplex, with one coordinate more.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import StickBreaking
        >>> y, log_det = StickBreaking().forward_and_log_det(torch.zeros(3))
        >>> y, log_det.exp() * 256
        (tensor([0.2500, 0.2500, 0.2500, 0.2500]), tensor(1.0000))
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """``[*batch, n - 1]`` to ``[*batch, n]``."""
        return torch.Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """``[*batch, n]`` to ``[*batch, n - 1]``."""
        return torch.Size((*shape[:-1], shape[-1] - 1))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        z = x - _offset(x)
        kept = logsigmoid(-z).cumsum(-1)
        before = torch.cat([torch.zeros_like(z[..., :1]), kept[..., :-1]], -1)
        logs = torch.cat([logsigmoid(z) + before, kept[..., -1:]], -1)
        return logs.exp(), (logsigmoid(z) + kept).sum(-1)  # kept_k = log r_k + log sigma(-z_k)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        y = y.clamp_min(torch.finfo(y.dtype).tiny)
        z = y[..., :-1].log() - y.flip(-1).cumsum(-1).flip(-1)[..., 1:].log()
        return z + _offset(z), -(logsigmoid(z) + logsigmoid(-z).cumsum(-1)).sum(-1)


def _offset(x: Tensor) -> Tensor:
    """``-log(n - k)``, subtracted from ``x``: then zero breaks the stick into equal parts."""
    return torch.arange(x.shape[-1], 0, -1, dtype=x.dtype, device=x.device).log()
