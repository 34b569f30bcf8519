r"""Noise of any scale: :math:`\mathcal N(0, \tau^2 I)` with the scale in full precision, in the dtype and place of its user.

It is the prior of a process that does not preserve variance. Its divergences are those of rescaled laws from the standard one,

.. math:: \mathrm{KL}(\mathcal N(m, s^2) \,\|\, \mathcal N(0, \tau^2))
    = \mathrm{KL}(\mathcal N(m/\tau, s^2/\tau^2) \,\|\, \mathcal N(0, 1)),

so that the first term of a chain's bound stays analytic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence
from torch.distributions.kl import register_kl

from probgen.distributions.numerics.stable import sum_rightmost
from probgen.distributions.standard import Standard

__all__ = ["IsotropicNormal"]


class IsotropicNormal(Standard):
    r"""Independent :math:`\mathcal N(0, \tau^2)` coordinates.

    Args:
        event_shape: Shape of one draw.
        scale: Standard deviation :math:`\tau`.
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the scale is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import IsotropicNormal
        >>> IsotropicNormal((2,), scale=80.0).log_prob(torch.zeros(2))  # -log(2 pi) - 2 log(80)
        tensor(-10.6019)
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        scale: float,
        batch_shape: Sequence[int] = (),
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if not 0 < scale < math.inf:
            raise ValueError(f"`scale` must be positive and finite; got {scale}.")
        self.scale = scale
        super().__init__(event_shape, batch_shape, dtype=dtype, device=device, validate_args=validate_args)

    def _draw(self, shape: torch.Size) -> Tensor:
        return self.scale * torch.randn(shape, dtype=self.dtype, device=self.device)

    def _coordinate_log_prob(self, value: Tensor) -> Tensor:
        return -0.5 * (value / self.scale).square() - (0.5 * math.log(2 * math.pi) + math.log(self.scale))

    def _coordinate_cdf(self, value: Tensor) -> Tensor:
        return cast(Tensor, torch.special.ndtr(value / self.scale))

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function, for scalar events."""
        self._require_scalar("icdf")
        return self.scale * cast(Tensor, torch.special.ndtri(value))

    @property
    def mean(self) -> Tensor:
        """Zero."""
        return self._filled(0.0)

    @property
    def mode(self) -> Tensor:
        """Zero."""
        return self._filled(0.0)

    @property
    def variance(self) -> Tensor:
        r""":math:`\tau^2`."""
        return self._filled(self.scale**2)

    def entropy(self) -> Tensor:
        r"""Differential entropy, :math:`D\,(\tfrac12 \log 2\pi e + \log\tau)` nats."""
        return self._filled(
            self.event_shape.numel() * (0.5 * math.log(2 * math.pi * math.e) + math.log(self.scale)), event=False
        )


def _kl_normal_isotropic(p: Normal, q: IsotropicNormal) -> Tensor:
    if q.event_shape:
        raise NotImplementedError(f"the event shapes () and {tuple(q.event_shape)} differ.")
    loc, scale = p.loc / q.scale, p.scale / q.scale
    return 0.5 * (loc.square() + scale.square() - 1) - scale.log()


def _kl_independent_isotropic(p: Independent[Distribution], q: IsotropicNormal) -> Tensor:
    if p.event_shape != q.event_shape:
        raise ValueError(f"the event shapes {tuple(p.event_shape)} and {tuple(q.event_shape)} differ.")
    inner = p.base_dist
    terms = kl_divergence(inner, IsotropicNormal(inner.event_shape, q.scale, inner.batch_shape))
    return sum_rightmost(terms, p.reinterpreted_batch_ndims)


register_kl(Normal, IsotropicNormal)(_kl_normal_isotropic)
register_kl(Independent, IsotropicNormal)(_kl_independent_isotropic)
