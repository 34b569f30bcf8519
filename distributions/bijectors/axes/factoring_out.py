r"""The join of a multi-scale flow: coarse channels from a flow of their own, fine channels from the latent directly.

A latent vector :math:`z = (z_1, z_2)` becomes an event with axes,

.. math:: y = (f(z_1),\, \text{reshape}(z_2)) \text{ along the channels}, \qquad \log|\det J| = \log|\det J_f(z_1)| .

Read backwards, half of the channels leave the flow (are *factored out*) at this level and the rest go on to the coarser one.
Because the latent of the whole stays one flat vector, a multi-scale flow is a bijector like any other. A coupling right after
it, from the coarse to the fine channels, is the learned prior of the fine ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import Bijector
from probgen.distributions.bijectors.wrapper import Wrapper

__all__ = ["FactorOut"]


class FactorOut(Wrapper):
    r"""``[n1 + n2]`` to ``[c1 + c2, *lengths]``: the first ``n1`` numbers through ``base``, the others reshaped.

    Args:
        base: The coarser flow, from vectors ``[n1]`` to events ``[c1, *lengths]``, with fixed shapes. The coarsest one is
            ``Reshape((n1,), (c1, *lengths))``.
        fine_shape: Shape of the fine channels, ``(c2, *lengths)``.

    Raises:
        ValueError: ``base`` has other shapes than these.

    References:
        Dinh, Sohl-Dickstein, Bengio (2017). Density estimation using Real NVP, section 3.6. https://arxiv.org/abs/1605.08803

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import FactorOut, Reshape
        >>> f = FactorOut(Reshape((4,), (1, 2, 2)), (1, 2, 2))
        >>> f(torch.arange(8.0))[:, 0]
        tensor([[0., 1.],
                [4., 5.]])
    """

    def __init__(self, base: Bijector, fine_shape: Sequence[int]) -> None:
        super().__init__(base)
        self.fine_shape = tuple(fine_shape)
        flat, coarse = base.domain_shape, base.codomain_shape
        if flat is None or len(flat) != 1 or coarse is None or coarse[1:] != self.fine_shape[1:] or not self.fine_shape:
            raise ValueError(
                f"`base` must map vectors to events (c, *{self.fine_shape[1:]}) to join {self.fine_shape}; "
                f"got {flat} to {coarse}."
            )
        self._cut, self._size, self._coarse = flat[0], math.prod(self.fine_shape), coarse

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Real vectors."""
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Real events."""
        return constraints.independent(constraints.real, len(self.fine_shape))

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The length of the latent."""
        return (self._cut + self._size,)

    @property
    def codomain_shape(self) -> tuple[int, ...]:
        """The coarse and the fine channels."""
        return (self._coarse[0] + self.fine_shape[0], *self.fine_shape[1:])

    @property
    def sign(self) -> int:
        """Not defined for events with axes."""
        return Bijector.sign.fget(self)  # type: ignore[attr-defined, no-any-return]

    def extra_repr(self) -> str:
        """The shape of the fine channels."""
        return f"fine_shape={self.fine_shape}"

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """Vectors to events."""
        return self._mapped_shape(shape, self.domain, self.domain_shape, self.codomain_shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """Events to vectors."""
        return self._mapped_shape(shape, self.codomain, self.codomain_shape, self.domain_shape)

    def initialize_from(self, y: Tensor, context: Tensor | None = None) -> None:
        """Start the coarser flow from the coarse channels of ``y``."""
        self._check_input("y", y, self.codomain, self.codomain_shape, context)
        self.base.initialize_from(y.narrow(-len(self.fine_shape), 0, self._coarse[0]), context)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        coarse, log_det = self.base._forward_and_log_det(x[..., : self._cut], context)
        fine = x[..., self._cut :].reshape((*x.shape[:-1], *self.fine_shape))
        return _joined(coarse, fine, len(self.fine_shape)), log_det

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        rank = len(self.fine_shape)
        coarse, fine = y.split([self._coarse[0], self.fine_shape[0]], dim=-rank)
        flat, log_det = self.base._inverse_and_log_det(coarse, context)
        return _joined(flat, fine.flatten(-rank), 1), log_det


def _joined(first: Tensor, second: Tensor, rank: int) -> Tensor:
    """Concatenate along the first axis of the event, after broadcasting the batches (a context may have widened one)."""
    batch = torch.broadcast_shapes(first.shape[:-rank], second.shape[:-rank])
    pieces = [piece.expand((*batch, *piece.shape[piece.dim() - rank :])) for piece in (first, second)]
    return torch.cat(pieces, dim=-rank)
