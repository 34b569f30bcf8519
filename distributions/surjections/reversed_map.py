"""A stochastic map seen from the other side: function and law exchanged, the contribution with the other sign."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.base import LogDetKind
from probgen.distributions.surjections.stochastic_map import StochasticMap

__all__ = ["ReversedMap"]


class ReversedMap(StochasticMap):
    r"""What ``f.inv`` returns: :math:`\mathcal V_{f^{-1}}(z, x) = -\mathcal V_f(x, z)`.

    Args:
        base: The map, whose parameters are shared.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import Rounding
        >>> spread = Rounding(levels=4).inv  # from integers to uniform numbers of their cells
        >>> spread.draws_forward, spread.inverse_and_contribution(torch.tensor(2.7))
        (True, (tensor(2.), tensor(0.)))
    """

    def __init__(self, base: StochasticMap) -> None:
        super().__init__()
        self.base = base

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The codomain of the base."""
        return self.base.codomain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """Where the base draws, or its domain."""
        return self.base.inverse_support

    @property
    def inverse_support(self) -> Constraint:
        """The codomain of the base."""
        return self.base.codomain

    @property
    def context_shape(self) -> tuple[int, ...] | None:  # type: ignore[override]
        """As that of the base."""
        return self.base.context_shape

    @property
    def draws_forward(self) -> bool:  # type: ignore[override]
        """Whether the base draws backward."""
        return self.base.draws_inverse

    @property
    def draws_inverse(self) -> bool:  # type: ignore[override]
        """Whether the base draws forward."""
        return self.base.draws_forward

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base's draws backward are differentiable."""
        return self.base.inverse_has_rsample

    @property
    def inverse_has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base is differentiable forward."""
        return self.base.has_rsample

    @property
    def contribution_kind(self) -> LogDetKind:  # type: ignore[override]
        """As that of the base."""
        return self.base.contribution_kind

    def _get_name(self) -> str:
        return f"{type(self.base).__name__}.inv"

    @property
    def inv(self) -> StochasticMap:
        """The base."""
        return self.base

    def forward_shape(self, shape: Sequence[int]) -> torch.Size:
        """As the inverse of the base has it."""
        return self.base.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> torch.Size:
        """As the base has it."""
        return self.base.forward_shape(shape)

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        x, contribution = self.base._inverse_and_contribution(z, context, sample_shape)
        return x, -contribution

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        z, contribution = self.base._forward_and_contribution(x, context, sample_shape)
        return z, -contribution

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._inverse(z, context)

    def _inverse(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self.base._forward(x, context)
