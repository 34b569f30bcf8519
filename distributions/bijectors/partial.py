r"""A bijector applied to some coordinates of a vector, leaving the others as they are.

With :math:`I` the chosen indices, :math:`y_I = f(x_I)` and :math:`y_i = x_i` for :math:`i \notin I`. The Jacobian is, after
reordering, block diagonal with an identity block, so the log-determinant is that of :math:`f`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.combined import context_for
from probgen.distributions.bijectors.lift import as_bijector
from probgen.distributions.bijectors.wrapper import Wrapper
from probgen.distributions.constraints import is_real
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["Partial"]


class Partial(Wrapper):
    r"""Apply ``base`` to the coordinates ``indices`` of a vector of ``features`` numbers.

    Args:
        base: A bijector or torch transform that maps numbers to numbers, or vectors to vectors of the same length. On
            vectors, its domain and codomain must be all real vectors.
        indices: The chosen coordinates, distinct; ``base`` sees them in this order.
        features: Length of the vectors.

    Raises:
        ValueError: the indices are not distinct or out of range, or ``base`` does not fit.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Exp, Partial
        >>> f = Partial(Exp(), indices=[2], features=3)
        >>> f.forward_and_log_det(torch.tensor([1.0, -1.0, 0.5]))
        (tensor([ 1.0000, -1.0000,  1.6487]), tensor(0.5000))
    """

    chosen: Tensor
    others: Tensor
    position: Tensor

    def __init__(self, base: Transform, indices: Sequence[int], features: int) -> None:
        super().__init__(as_bijector(base))
        chosen = [int(index) for index in indices]
        if len(set(chosen)) != len(chosen) or not set(chosen) <= set(range(features)):
            raise ValueError(f"`indices` must be distinct and within range({features}); got {chosen}.")
        ranks = (self.base.domain.event_dim, self.base.codomain.event_dim)
        if ranks not in ((0, 0), (1, 1)) or tuple(self.base.forward_shape((len(chosen),))) != (len(chosen),):
            raise ValueError(f"`base` must map numbers, or vectors of length {len(chosen)}, to the same; got {self.base}.")
        if ranks == (1, 1) and not (is_real(self.base.domain) and is_real(self.base.codomain)):
            raise ValueError(f"`base` on vectors must map all real vectors onto all; its codomain is {self.base.codomain}.")
        others = [index for index in range(features) if index not in chosen]
        self.features = features
        self._extra = 1 - ranks[0]
        self._domain = _vectors(self.base.domain, chosen, features)
        self._codomain = _vectors(self.base.codomain, chosen, features)
        self.register_buffer("chosen", torch.tensor(chosen, dtype=torch.long), persistent=False)
        self.register_buffer("others", torch.tensor(others, dtype=torch.long), persistent=False)
        self.register_buffer("position", torch.tensor(others + chosen, dtype=torch.long).argsort(), persistent=False)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The domain of ``base`` for the chosen coordinates, the reals for the others."""
        return self._domain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The codomain of ``base`` for the chosen coordinates, the reals for the others."""
        return self._codomain

    @property
    def domain_shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """``(features,)``."""
        return (self.features,)

    @property
    def codomain_shape(self) -> tuple[int, ...]:
        """``(features,)``."""
        return (self.features,)

    @property
    def sign(self) -> int:
        """A map of vectors has none."""
        raise NotImplementedError("Partial has no sign: it is not a monotone scalar map.")

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """The shape of ``x``, its batch broadcast with that of the parameters of ``base``."""
        self._mapped_shape(shape, self.domain, self.domain_shape, self.domain_shape)
        mapped = self.base.forward_shape((*shape[:-1], len(self.chosen)))
        return torch.Size((*mapped[:-1], self.features))

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """The shape of ``y``, its batch broadcast with that of the parameters of ``base``."""
        return self.forward_shape(shape)

    def _forward_and_log_det(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mapped, log_det = self.base._forward_and_log_det(
            x.index_select(-1, self.chosen), context_for(self.base, context, self._extra)
        )
        return self._assembled(x, mapped), sum_rightmost(log_det, self._extra)

    def _inverse_and_log_det(self, y: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mapped, log_det = self.base._inverse_and_log_det(
            y.index_select(-1, self.chosen), context_for(self.base, context, self._extra)
        )
        return self._assembled(y, mapped), sum_rightmost(log_det, self._extra)

    def _assembled(self, value: Tensor, mapped: Tensor) -> Tensor:
        kept = value.index_select(-1, self.others).expand(*mapped.shape[:-1], -1)
        return torch.cat([kept, mapped], -1).index_select(-1, self.position)


def _vectors(constraint: Constraint, chosen: Sequence[int], features: int) -> Constraint:
    """The constraint on the chosen coordinates, the reals on the others."""
    if is_real(constraint):
        return constraints.real_vector
    each = [constraint if index in chosen else constraints.real for index in range(features)]
    return constraints.independent(constraints.cat(each, -1, [1] * features), 1)
