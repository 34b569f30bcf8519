r"""Spherical coordinates of :math:`S^d \subset \mathbb R^{d + 1}`, and rotations of the sphere.

The sphere is built from circles: a point of :math:`S^d` is :math:`(\sin\beta\, u, \cos\beta)` with :math:`\beta \in [0, \pi]`
and :math:`u \in S^{d - 1}`. Its surface element is :math:`\sin^{d - 1}\!\beta\, d\beta` times that of :math:`u`, so for the
angles :math:`(\beta_1, \ldots, \beta_{d - 1}, \varphi)`

.. math::

    \mathrm{FLDJ} = \sum_{k=1}^{d-1} (d - k) \log \sin \beta_k .

A flow on the sphere goes to these coordinates, transforms them, and comes back. Polar angles rather than heights
:math:`\cos\beta`: near a pole a height has lost half of its digits. The derivation stands in
``docs/derivations/flow-manifolds.md``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.linear import Start
from probgen.distributions.bijectors.qr import start_vectors
from probgen.distributions.constraints import circular, product, unit_sphere
from probgen.distributions.numerics.linear import full_precision, reflect

__all__ = ["SphereRotation", "SphericalCoordinates"]


class SphericalCoordinates(Bijector):
    r"""Polar angles and an azimuth to a point of :math:`S^d`.

    .. math:: S^2:\quad (\beta, \varphi) \mapsto (\sin\beta \cos\varphi, \sin\beta \sin\varphi, \cos\beta).

    Domain: :math:`[0, \pi]^{d-1}` and a circle. Codomain: the unit sphere, densities with respect to surface area; at poles the
    azimuth is lost.

    Args:
        dim: Dimension :math:`d` of the sphere, at least 1.

    Raises:
        ValueError: ``dim`` is less than 1.

    References:
        Rezende, Papamakarios, Racanière, Albergo, Kanwar, Shanahan, Cranmer (2020). Normalizing flows on tori and spheres.
        https://arxiv.org/abs/2002.02428

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import SphericalCoordinates
        >>> f = SphericalCoordinates(2)
        >>> x, log_det = f.forward_and_log_det(torch.tensor([torch.pi / 6, 0.0]))
        >>> x, log_det.exp()
        (tensor([0.5000, 0.0000, 0.8660]), tensor(0.5000))
    """

    codomain = unit_sphere

    def __init__(self, dim: int) -> None:
        super().__init__()
        if dim < 1:
            raise ValueError(f"`dim` must be at least 1; got {dim}.")
        self.dim = dim
        self.domain_shape = (dim,)
        polar = [(constraints.interval(0.0, math.pi), 1)] * (dim - 1)
        self._domain = product(*polar, (circular, 1))

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Polar angles and an azimuth."""
        return self._domain

    @property
    def codomain_shape(self) -> tuple[int, ...]:
        """``(dim + 1,)``."""
        return (self.dim + 1,)

    def extra_repr(self) -> str:
        """The dimension."""
        return f"dim={self.dim}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        polar, azimuth = x[..., :-1], x[..., -1:]
        sines, cosines = polar.sin().clamp_min(torch.finfo(x.dtype).tiny), polar.cos()
        radii = torch.cat([torch.ones_like(azimuth), sines.cumprod(-1)], -1)  # of the spheres of dimension d, d - 1, ..., 1
        last = radii[..., -1:]
        heights = (radii[..., :-1] * cosines).flip(-1)
        powers = torch.arange(self.dim - 1, 0, -1, dtype=x.dtype, device=x.device)
        return torch.cat([last * azimuth.cos(), last * azimuth.sin(), heights], -1), (powers * sines.log()).sum(-1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        azimuth = torch.atan2(y[..., 1:2], y[..., :1])
        squares = y.square().cumsum(-1)[..., 1:-1]
        radii = squares.clamp_min(torch.finfo(y.dtype).tiny).sqrt()  # of spheres of dimension 1, 2, ..., d - 1
        polar = torch.atan2(radii, y[..., 2:]).flip(-1)
        return torch.cat([polar, azimuth], -1), -radii.log().sum(-1)


class SphereRotation(Bijector):
    r""":math:`y = H_1 \cdots H_k x` on a sphere: an even number of learned reflections; areas are kept.

    Between two maps in spherical coordinates it moves the poles, so that no point is special.

    Args:
        features: Length of the vectors, :math:`d + 1`, at least 2.
        reflections: How many, even; None for the smallest even number that reaches every rotation.
        start: "rotation" for random reflections; "identity" for pairs of equal ones, which cancel.
        generator: Source of randomness for the vectors.

    Raises:
        ValueError: ``features`` is less than 2, ``reflections`` is not even and positive, or ``start`` is unknown.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import SphereRotation
        >>> f = SphereRotation(3, generator=torch.Generator().manual_seed(0))
        >>> x = torch.tensor([0.6, 0.0, 0.8])
        >>> f.inverse(f(x)).round(decimals=4).abs()
        tensor([0.6000, 0.0000, 0.8000], grad_fn=<AbsBackward0>)
    """

    domain = unit_sphere
    codomain = unit_sphere
    constant_log_det = True

    def __init__(
        self,
        features: int,
        reflections: int | None = None,
        *,
        start: Start = "rotation",
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        count = features + features % 2 if reflections is None else reflections
        if features < 2 or count < 2 or count % 2:
            raise ValueError(f"`features` must be at least 2 and `reflections` even; got {features} and {reflections}.")
        self.domain_shape = (features,)
        self.vectors = nn.Parameter(start_vectors(features, count, start, generator))

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._reflected(x, transpose=False), x.new_zeros(x.shape[:-1])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._reflected(y, transpose=True), y.new_zeros(y.shape[:-1])

    def _reflected(self, x: Tensor, *, transpose: bool) -> Tensor:
        with full_precision(x):
            y = reflect(x, self.vectors.to(x.dtype), transpose=transpose)
            length: Tensor = torch.linalg.vector_norm(y, dim=-1, keepdim=True)
            return y / length
