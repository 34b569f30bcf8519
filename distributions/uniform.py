r"""Uniform distributions on the sphere and on the rotations of space: bases of flows that stay there.

On :math:`S^d \subset \mathbb R^{d+1}` the density with respect to surface area is :math:`\Gamma(\tfrac{d+1}{2}) / 2
\pi^{(d+1)/2}`. On the rotations it is taken with respect to Haar measure of total mass one, so it is 1. Draws are normalized
vectors of independent normal numbers: their law is not changed by any rotation. On circles and tori see ``StandardUniform``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_event_shape
from probgen.distributions._parameter_free import ParameterFree
from probgen.distributions.bijectors import matrix_of_quaternion
from probgen.distributions.constraints import rotation_matrix, satisfies, unit_sphere
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Uniform", "UniformRotation", "UniformSphere"]


class Uniform(ParameterFree):
    """One density everywhere on a compact set (abstract): a subclass sets ``_set`` and ``_level`` and writes ``_draw``.

    It holds no tensors and draws in the dtype and on the device of whoever uses it, unless told otherwise.

    Args:
        event_shape: Shape of one draw.
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> from probgen.distributions import Uniform, UniformSphere
        >>> isinstance(UniformSphere(2), Uniform)
        True
    """

    _set: Constraint
    _level: float

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """The set."""
        return self._set

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``; without parameters there is nothing to differentiate."""
        return self._draw(torch.Size((*sample_shape, *self.batch_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``; minus infinity outside the support when not validating."""
        self._check_shape(value)
        rank = len(self.event_shape)
        require_event_shape("value", value, rank)
        if self._checks_values(value):
            self._check_support(value)
        flat = sum_rightmost(value, rank)
        outside = torch.where(flat.isnan(), flat, torch.full_like(flat, -math.inf))
        log_prob = torch.where(satisfies(self._set, value), torch.full_like(flat, self._level), outside)
        return log_prob.expand(torch.broadcast_shapes(log_prob.shape, self.batch_shape))

    def entropy(self) -> Tensor:
        """Minus the log-density, nats, shape ``[*batch]``."""
        return self._filled(-self._level, event=False)

    def _directions(self, shape: torch.Size, size: int) -> Tensor:
        """Points of a sphere, ``[*shape, size]``."""
        normal = torch.randn((*shape, size), dtype=self.dtype, device=self.device)
        length: Tensor = torch.linalg.vector_norm(normal, dim=-1, keepdim=True)
        return normal / length


class UniformSphere(Uniform):
    r"""The uniform distribution on :math:`S^d`, of density :math:`\Gamma(\tfrac{d+1}{2}) / 2 \pi^{(d+1)/2}`.

    Args:
        dim: Dimension :math:`d` of the sphere, at least 1; draws have :math:`d + 1` coordinates.
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: ``dim`` is less than 1.

    Example:
        >>> import torch
        >>> from probgen.distributions import UniformSphere
        >>> UniformSphere(2).log_prob(torch.tensor([0.6, 0.0, 0.8])).exp() * 4 * torch.pi
        tensor(1.0000)
    """

    _set = unit_sphere

    def __init__(
        self,
        dim: int,
        batch_shape: Sequence[int] = (),
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        if dim < 1:
            raise ValueError(f"`dim` must be at least 1; got {dim}.")
        half = (dim + 1) / 2
        self._level = math.lgamma(half) - math.log(2.0) - half * math.log(math.pi)
        super().__init__((dim + 1,), batch_shape, dtype=dtype, device=device, validate_args=validate_args)

    def _draw(self, shape: torch.Size) -> Tensor:
        return self._directions(shape, self.event_shape[0])

    @property
    def mean(self) -> Tensor:
        """Zero, the center of the ball."""
        return self._filled(0.0)


class UniformRotation(Uniform):
    r"""The uniform distribution of rotation matrices: :math:`\log p = 0` with respect to normalized Haar measure.

    Args:
        batch_shape: Shape of the batch.
        dtype: Of the draws; None follows the user of the distribution, else torch's default.
        device: Of the draws; None follows the user of the distribution, else torch's default.
        validate_args: As in ``torch.distributions``.

    References:
        Shoemake (1992). Uniform random rotations. https://doi.org/10.1016/B978-0-08-050755-2.50036-1

    Example:
        >>> import torch
        >>> from probgen.distributions import UniformRotation
        >>> UniformRotation().log_prob(torch.eye(3)), UniformRotation().sample((5,)).shape
        (tensor(0.), torch.Size([5, 3, 3]))
    """

    _set = rotation_matrix
    _level = 0.0

    def __init__(
        self,
        batch_shape: Sequence[int] = (),
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__((3, 3), batch_shape, dtype=dtype, device=device, validate_args=validate_args)

    def _draw(self, shape: torch.Size) -> Tensor:
        return matrix_of_quaternion(self._directions(shape, 4))

    @property
    def mean(self) -> Tensor:
        """The zero matrix."""
        return self._filled(0.0)
