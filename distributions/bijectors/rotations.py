r"""Charts of the rotations of space and a map that turns them: bijectors onto SO(3), 3 x 3 matrices.

Rotations form a three-dimensional group; densities are taken with respect to its Haar measure :math:`\mu`, the one that no
rotation changes, with :math:`\mu(SO(3)) = 1`. In three charts,

.. math::

    d\mu = \frac{dv}{\pi^2 (1 + |v|^2)^2} = \frac{\sin\beta\; d\alpha\, d\beta\, d\gamma}{8 \pi^2}
         = \frac{1 - \cos\theta}{4 \pi^2 \theta^2}\, d\omega, \qquad \theta = |\omega|,

with Gibbs' vector :math:`v = \tan\tfrac\theta2\, \omega / \theta`, Euler's angles and the rotation vector :math:`\omega`. All
three are derived in ``docs/derivations/flow-manifolds.md``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.linear import Start, require_start
from probgen.distributions.constraints import circular, product, rotation_matrix
from probgen.distributions.numerics.linear import full_precision

__all__ = ["CayleyRotation", "EulerAngles", "RotationProduct", "matrix_of_quaternion"]


class CayleyRotation(Bijector):
    r"""Gibbs' vector :math:`v \in \mathbb R^3` to the rotation :math:`R` about :math:`v` by :math:`2 \arctan |v|`.

    With the unit quaternion :math:`q = (1, v) / \sqrt{1 + |v|^2}`, and :math:`[v]` the matrix of the cross product,

    .. math::

        R = I + \frac{2}{1 + |v|^2} \big([v] + [v]^2\big) = (I + [v]) (I - [v])^{-1}, \qquad
        \mathrm{FLDJ}(v) = \log \frac{d\mu}{dv} = -2 \log \pi - 2 \log(1 + |v|^2).

    Only the rotations by :math:`\pi`, a set of measure zero, are not reached.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import CayleyRotation
        >>> CayleyRotation()(torch.tensor([0.0, 0.0, 1.0])).round(decimals=4)
        tensor([[ 0., -1.,  0.],
                [ 1.,  0.,  0.],
                [ 0.,  0.,  1.]])
    """

    domain = constraints.real_vector
    codomain = rotation_matrix
    domain_shape = (3,)

    @property
    def codomain_shape(self) -> tuple[int, ...]:
        """``(3, 3)``."""
        return (3, 3)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        unit = torch.cat([torch.ones_like(x[..., :1]), x], -1)
        return matrix_of_quaternion(unit), _cayley_log_det(x)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        quaternion = _quaternion_of_matrix(y)
        x = quaternion[..., 1:] / quaternion[..., :1]
        return x, -_cayley_log_det(x)


class EulerAngles(Bijector):
    r"""Angles :math:`(\alpha, \beta, \gamma)` to :math:`R = R_z(\alpha) R_y(\beta) R_z(\gamma)`.

    .. math:: \mathrm{FLDJ} = \log \sin\beta - \log 8 \pi^2 \quad\text{(with respect to Haar measure)}.

    Domain: a circle, the interval :math:`[0, \pi]`, a circle. Codomain: rotation matrices; at :math:`\beta = 0` and
    :math:`\pi` only :math:`\alpha \pm \gamma` is determined.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import EulerAngles
        >>> f = EulerAngles()
        >>> x = torch.tensor([0.3, 1.0, -2.0])
        >>> f.inverse(f(x)).round(decimals=4), f.forward_log_det_jacobian(x).exp() * 8 * torch.pi**2
        (tensor([ 0.3000,  1.0000, -2.0000]), tensor(0.8415))
    """

    domain = product((circular, 1), (constraints.interval(0.0, math.pi), 1), (circular, 1))
    codomain = rotation_matrix
    domain_shape = (3,)

    @property
    def codomain_shape(self) -> tuple[int, ...]:
        """``(3, 3)``."""
        return (3, 3)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        a, b, c = x.unbind(-1)
        zero, one = torch.zeros_like(a), torch.ones_like(a)
        first = _matrix([a.cos(), -a.sin(), zero], [a.sin(), a.cos(), zero], [zero, zero, one])
        second = _matrix([b.cos(), zero, b.sin()], [zero, one, zero], [-b.sin(), zero, b.cos()])
        third = _matrix([c.cos(), -c.sin(), zero], [c.sin(), c.cos(), zero], [zero, zero, one])
        with full_precision(x):
            return first @ second @ third, _log_sine(b) - math.log(8 * math.pi**2)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        across = torch.hypot(y[..., 0, 2], y[..., 1, 2])
        a = torch.atan2(y[..., 1, 2], y[..., 0, 2])
        b = torch.atan2(across, y[..., 2, 2])
        # gamma is read from the matrix with alpha undone, so that alpha + gamma is right also where each alone is not
        row = a.cos()[..., None] * y[..., 1, :2] - a.sin()[..., None] * y[..., 0, :2]
        c = torch.atan2(row[..., 0], row[..., 1])
        log_sine = across.clamp_min(torch.finfo(y.dtype).tiny).log()
        return torch.stack([a, b, c], -1), math.log(8 * math.pi**2) - log_sine


class RotationProduct(Bijector):
    r""":math:`Y = Q X` with a learned rotation :math:`Q`: Haar measure is invariant, so the log-determinant is exactly 0.

    :math:`Q` is that of a quaternion, which is stored unnormalized. Domain and codomain: rotation matrices.

    Args:
        start: "identity", or "rotation" for a uniformly random one.
        generator: Source of randomness for ``start="rotation"``.

    Raises:
        ValueError: ``start`` is unknown.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import RotationProduct
        >>> f = RotationProduct(start="rotation", generator=torch.Generator().manual_seed(0))
        >>> f.inverse(f(torch.eye(3))).round(decimals=4).abs()
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]], grad_fn=<AbsBackward0>)
    """

    domain = rotation_matrix
    codomain = rotation_matrix
    domain_shape = (3, 3)
    constant_log_det = True

    def __init__(self, *, start: Start = "identity", generator: torch.Generator | None = None) -> None:
        super().__init__()
        identity = torch.tensor([1.0, 0.0, 0.0, 0.0])
        begins = identity if require_start(start) == "identity" else torch.randn(4, generator=generator)
        self.quaternion = nn.Parameter(begins)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(x):
            return matrix_of_quaternion(self.quaternion.to(x.dtype)) @ x, x.new_zeros(x.shape[:-2])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        with full_precision(y):
            return matrix_of_quaternion(self.quaternion.to(y.dtype)).mT @ y, y.new_zeros(y.shape[:-2])


def matrix_of_quaternion(quaternion: Tensor) -> Tensor:
    r"""The rotation matrix ``[*batch, 3, 3]`` of a quaternion of any positive length; :math:`q` and :math:`-q` agree.

    Args:
        quaternion: :math:`(w, x, y, z)`, the real part first, shape ``[*batch, 4]``.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import matrix_of_quaternion
        >>> matrix_of_quaternion(torch.tensor([0.0, 0.0, 0.0, 3.0])).diagonal()
        tensor([-1., -1.,  1.])
    """
    w, x, y, z = (quaternion / torch.linalg.vector_norm(quaternion, dim=-1, keepdim=True)).unbind(-1)
    return _matrix(
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    )


def _quaternion_of_matrix(matrix: Tensor) -> Tensor:
    """A quaternion of some length: the largest of the four columns of ``4 q q^T`` (Shepperd's choice, no branches)."""
    m = [[matrix[..., i, j] for j in range(3)] for i in range(3)]
    trace = m[0][0] + m[1][1] + m[2][2]
    one = torch.ones_like(trace)
    x, y, z = m[2][1] - m[1][2], m[0][2] - m[2][0], m[1][0] - m[0][1]
    xy, xz, yz = m[1][0] + m[0][1], m[2][0] + m[0][2], m[2][1] + m[1][2]
    columns = _matrix(
        [one + trace, x, y, z],
        [x, one + 2 * m[0][0] - trace, xy, xz],
        [y, xy, one + 2 * m[1][1] - trace, yz],
        [z, xz, yz, one + 2 * m[2][2] - trace],
    )
    largest = columns.diagonal(dim1=-2, dim2=-1).argmax(-1)
    return columns.gather(-2, largest[..., None, None].expand(*largest.shape, 1, 4)).squeeze(-2)


def _matrix(*rows: list[Tensor]) -> Tensor:
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def _cayley_log_det(v: Tensor) -> Tensor:
    return -2 * torch.log1p(v.square().sum(-1)) - 2 * math.log(math.pi)


def _log_sine(angle: Tensor) -> Tensor:
    return angle.sin().clamp_min(torch.finfo(angle.dtype).tiny).log()
