r"""Charts of the unit sphere :math:`S^d \subset \mathbb R^{d+1}`.

The image has one dimension less than the space it lies in, so the log-determinant is that of the surface element,
:math:`\tfrac12 \log\det(J^\top J)`, and a density pushed forward is a density with respect to surface area.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.constraints import circular, product, unit_sphere

__all__ = ["CylinderToSphere", "Stereographic"]


class Stereographic(Bijector):
    r"""Stereographic projection :math:`\mathbb R^d \to S^d` from the pole :math:`e_{d+1}`.

    With :math:`s = \lVert u \rVert^2`, :math:`x = (2u, s - 1) / (s + 1)`. The map is conformal, so

    .. math::

        \mathrm{FLDJ}(u) = d \log \frac{2}{1 + s}.

    The dimension :math:`d` is that of the argument. Domain: :math:`\mathbb R^d`. Codomain: the unit sphere; only its pole
    is not reached.

    References:
        Gemici, Rezende, Mohamed (2016). Normalizing flows on Riemannian manifolds. https://arxiv.org/abs/1611.02304

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Stereographic
        >>> Stereographic().forward_and_log_det(torch.tensor([1.0, 0.0]))
        (tensor([1., 0., 0.]), tensor(0.))
    """

    domain = constraints.independent(constraints.real, 1)
    codomain = unit_sphere

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """``[*batch, d]`` to ``[*batch, d + 1]``."""
        _require_vector(shape, 1)
        return torch.Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """``[*batch, d + 1]`` to ``[*batch, d]``."""
        _require_vector(shape, 2)
        return torch.Size((*shape[:-1], shape[-1] - 1))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        squared = x.square().sum(-1, keepdim=True)
        share = 1 / (1 + squared)
        y = torch.cat([2 * x * share, 1 - 2 * share], -1)
        return y, _stereographic_log_det(x)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        flat, height = y[..., :-1], y[..., -1:]
        upper = height > 0
        below = torch.where(upper, torch.ones_like(height), 1 - height)  # 1 - height, which cancels near the pole,
        above = torch.where(upper, flat, torch.ones_like(flat)).square().sum(-1, keepdim=True)  # is |flat|^2 / (1 + height)
        x = flat * torch.where(upper, (1 + height) / above, 1 / below)
        return x, -_stereographic_log_det(x)


class CylinderToSphere(Bijector):
    r"""Archimedes' map from the cylinder onto :math:`S^2`.

    .. math::

        (z, \varphi) \mapsto (\sqrt{1 - z^2} \cos\varphi, \sqrt{1 - z^2} \sin\varphi, z).

    It preserves area: FLDJ = 0, so a uniform height and a uniform angle make a uniform point on the sphere.

    Domain: :math:`[-1, 1] \times` angles. Codomain: the unit sphere; at the two poles the angle is lost.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CylinderToSphere
        >>> CylinderToSphere()(torch.tensor([0.0, 0.0]))
        tensor([1., 0., 0.])
    """

    domain = product((constraints.interval(-1.0, 1.0), 1), (circular, 1))
    codomain = unit_sphere
    domain_shape = (2,)
    constant_log_det = True

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """``(3,)``."""
        return (3,)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        height, angle = x[..., 0], x[..., 1]
        radius = ((1 - height) * (1 + height)).clamp_min(torch.finfo(x.dtype).tiny).sqrt()
        return torch.stack([radius * angle.cos(), radius * angle.sin(), height], -1), torch.zeros_like(height)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        height = y[..., 2]
        return torch.stack([height, torch.atan2(y[..., 1], y[..., 0])], -1), torch.zeros_like(height)


def _stereographic_log_det(x: Tensor) -> Tensor:
    return x.shape[-1] * (math.log(2.0) - torch.log1p(x.square().sum(-1)))


def _require_vector(shape: Sequence[int], least: int) -> None:
    if not shape or shape[-1] < least:
        raise ValueError(f"`shape` must end with an event of at least {least} coordinate(s); got {tuple(shape)}.")
