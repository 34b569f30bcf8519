r"""Permutations of the last axis: :math:`y_i = x_{\pi(i)}`; log-determinant exactly 0.

The order is a buffer: it is saved in ``state_dict``, moves with ``.to`` and is copied, so a loaded flow permutes as the saved
one did.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints

from probgen.distributions.bijectors.base import Bijector

__all__ = ["Permutation", "Reverse"]


class Permutation(Bijector):
    r""":math:`y_i = x_{\pi(i)}` on vectors.

    Args:
        order: The indices :math:`\pi(0), \pi(1), \ldots`, a permutation of ``range(features)``.

    Raises:
        ValueError: ``order`` is not a permutation.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Permutation
        >>> f = Permutation([2, 0, 1])
        >>> f(torch.tensor([10.0, 20.0, 30.0]))
        tensor([30., 10., 20.])
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    constant_log_det = True
    order: Tensor
    inverse_order: Tensor

    def __init__(self, order: Sequence[int] | Tensor) -> None:
        super().__init__()
        order = torch.as_tensor(order)
        if order.dim() != 1 or sorted(order.tolist()) != list(range(len(order))):
            raise ValueError(f"`order` must be a permutation of 0, 1, ...; got {order.tolist()}.")
        self.domain_shape = (len(order),)
        self.register_buffer("order", order.long())
        self.register_buffer("inverse_order", order.argsort())

    @classmethod
    def random(cls, features: int, *, generator: torch.Generator | None = None) -> Permutation:
        """A uniformly random permutation of ``features`` coordinates.

        Args:
            features: Length of the vectors.
            generator: Source of randomness; torch's global one if None.

        Example:
            >>> import torch
            >>> from probgen.distributions.bijectors import Permutation
            >>> sorted(Permutation.random(4, generator=torch.Generator().manual_seed(0)).order.tolist())
            [0, 1, 2, 3]
        """
        return cls(torch.randperm(features, generator=generator))

    def extra_repr(self) -> str:
        """The order."""
        return f"{self.order.tolist()}"

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.index_select(-1, self.order), x.new_zeros(x.shape[:-1])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return y.index_select(-1, self.inverse_order), y.new_zeros(y.shape[:-1])


class Reverse(Bijector):
    r""":math:`y_i = x_{n-1-i}` on vectors of any length; its own inverse.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Reverse
        >>> Reverse()(torch.tensor([1.0, 2.0, 3.0]))
        tensor([3., 2., 1.])
    """

    domain = constraints.real_vector
    codomain = constraints.real_vector
    constant_log_det = True

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.flip(-1), x.new_zeros(x.shape[:-1])

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._forward_and_log_det(y)
