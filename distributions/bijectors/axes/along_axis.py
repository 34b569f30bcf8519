r"""A bijector of vectors along one axis of larger events, the same at every position.

With :math:`f` on vectors of :math:`c` channels and an event of :math:`P` positions,

.. math:: y_{\cdot p} = f(x_{\cdot p}), \qquad \log|\det J| = \sum_{p=1}^{P} \log|\det J_f(x_{\cdot p})| .

For a linear map :math:`W` this is the invertible 1x1 convolution of Glow, with log-determinant :math:`P \log|\det W|`; factored
as :math:`W = P L U` the determinant costs :math:`O(c)` and one multiplication by :math:`P`, whatever the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.combined import context_for
from probgen.distributions.bijectors.inverse import Inverse
from probgen.distributions.bijectors.linear import Linear
from probgen.distributions.bijectors.wrapper import Wrapper
from probgen.distributions.numerics.linear import full_precision
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Along"]


class Along(Wrapper):
    r"""The map ``base`` of vectors, applied along an axis of the event at every position of the other axes.

    ``Along(LULinear(c), -3)`` is Glow's invertible 1x1 convolution on images ``[c, h, w]``; ``Along(Permutation(order), -3)``
    permutes channels. A context is the same at every position. In its closed direction a linear map is one product with its
    matrix; build it as ``Along(LULinear(c).inv, -3)`` where densities, not samples, are to be fast.

    Args:
        base: A bijector of vectors that keeps their length.
        dim: The axis, negative: counted from the right. The event has ``-dim`` axes.

    Raises:
        ValueError: ``base`` is not a bijector of real vectors, or ``dim`` is not negative.

    References:
        Kingma, Dhariwal (2018). Glow: generative flow with invertible 1x1 convolutions. https://arxiv.org/abs/1807.03039

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Along, Permutation
        >>> f = Along(Permutation([1, 0]), -3)
        >>> f(torch.tensor([1.0, 2.0]).reshape(2, 1, 1)).flatten()
        tensor([2., 1.])
    """

    def __init__(self, base: Bijector, dim: int) -> None:
        super().__init__(base)
        if base.domain.event_dim != 1 or base.codomain.event_dim != 1 or base.domain_shape != base.codomain_shape:
            raise ValueError(f"`base` must map vectors to vectors of the same length; got {type(base).__name__}.")
        if dim >= 0:
            raise ValueError(f"`dim` must be negative: the axis belongs to the event; got {dim}.")
        self.dim = dim

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Real events."""
        return constraints.independent(constraints.real, -self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Real events."""
        return self.domain

    @property
    def domain_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """That of ``base`` where the event is a vector, else None: the other axes may have any length."""
        return self.base.domain_shape if self.dim == -1 else None

    @property
    def codomain_shape(self) -> tuple[int, ...] | None:
        """As ``domain_shape``."""
        return self.domain_shape

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """The same shape."""
        return self._checked(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """The same shape."""
        return self._checked(shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._checked(x.shape)
        if isinstance(self.base, Linear):
            return self._multiplied(self.base, x)
        moved, log_det = self.base._forward_and_log_det(x.movedim(self.dim, -1), self._context(context))
        return moved.movedim(-1, self.dim), sum_rightmost(log_det, -self.dim - 1)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        self._checked(y.shape)
        if isinstance(self.base, Inverse) and isinstance(self.base.base, Linear):
            return self._multiplied(self.base.base, y)
        moved, log_det = self.base._inverse_and_log_det(y.movedim(self.dim, -1), self._context(context))
        return moved.movedim(-1, self.dim), sum_rightmost(log_det, -self.dim - 1)

    def _multiplied(self, linear: Linear, x: Tensor) -> tuple[Tensor, Tensor]:
        """One product with the matrix and one multiplication of its log-determinant for all positions."""
        rest = x.shape[x.dim() + self.dim + 1 :]
        with full_precision(x):
            matrix = linear.matrix
            x = x.to(torch.promote_types(x.dtype, matrix.dtype))
            matrix = matrix.to(x.dtype)
            y = matrix @ x.flatten(self.dim + 1) if rest else x @ matrix.mT
            y = y if linear.loc is None else y + (linear.loc.unsqueeze(-1) if rest else linear.loc)
            log_det = linear._log_determinant(x) * math.prod(rest)
        return y.reshape(x.shape), log_det.expand(x.shape[: x.dim() + self.dim])

    def _context(self, context: Tensor | None) -> Tensor | None:
        return context_for(self.base, context, -self.dim - 1)

    def _checked(self, shape: Sequence[int]) -> torch.Size:
        fixed = self.base.domain_shape
        if len(shape) < -self.dim or (fixed is not None and shape[self.dim] != fixed[0]):
            wanted = "any length" if fixed is None else f"length {fixed[0]}"
            raise ValueError(f"events of Along must have {wanted} along axis {self.dim}; got shape {tuple(shape)}.")
        return torch.Size(shape)
