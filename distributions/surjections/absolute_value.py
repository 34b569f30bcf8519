r"""The absolute value, which forgets a sign: :math:`v = |u|`, :math:`u = \pm v`, :math:`\kappa(u \mid v) = P(\pm \mid v)`.

As an inference surjection (``AbsoluteValue().inv``) it makes a density on the line from one on the half-line,
:math:`p(x) = p(|x|)\, P(\operatorname{sign} x \mid |x|)`; with the fair coin the density is symmetric by construction. As a
generative one it folds a density, :math:`p(x) = p_z(x) + p_z(-x)`, of which guessing the sign gives a bound.
"""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.surjections.surjection import RemainderLaw, Surjection, require_event_dim

__all__ = ["AbsoluteValue"]


class AbsoluteValue(Surjection):
    r""":math:`v = |u|`, coordinate by coordinate; the remainder is one where :math:`u > 0` and zero elsewhere.

    Domain: the reals. Codomain: the nonnegative numbers. The determinant is one.

    Args:
        law: From :math:`|u|` to the law of the signs, zeros and ones of the same event shape, such as
            ``Bernoulli(...).to_event(...)``; None for fair coins.
        event_dim: Rank of an event that ``law`` sees as a whole; 0 for single coordinates.
        context_shape: Trailing shape of the context that ``law`` takes, or None.

    References:
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows. https://arxiv.org/abs/2007.02731, appendix D

    Example:
        >>> import torch
        >>> from pyro.distributions import Exponential
        >>> from probgen.distributions import SurjectiveDistribution
        >>> from probgen.distributions.surjections import AbsoluteValue
        >>> laplace = SurjectiveDistribution(Exponential(1.0), AbsoluteValue().inv)
        >>> laplace.log_prob(torch.tensor(-2.0)), torch.distributions.Laplace(0.0, 1.0).log_prob(torch.tensor(-2.0))
        (tensor(-2.6931), tensor(-2.6931))
    """

    def __init__(
        self, law: RemainderLaw | None = None, *, event_dim: int = 0, context_shape: tuple[int, ...] | None = None
    ) -> None:
        super().__init__(law, context_shape)
        self.event_dim = require_event_dim(event_dim)
        self.inverse_has_rsample = law is None  # a learned sign has no derivative

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """The reals."""
        return constraints.independent(constraints.real, self.event_dim) if self.event_dim else constraints.real

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The nonnegative numbers."""
        return constraints.independent(constraints.nonnegative, self.event_dim) if self.event_dim else constraints.nonnegative

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        coin = dist.Bernoulli(torch.full_like(v, 0.5, requires_grad=False), validate_args=False)
        return cast(TorchDistribution, coin.to_event(self.event_dim))

    def _project(self, u: Tensor) -> Tensor:
        return u.abs()

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        return u.abs(), torch.where(u.isnan(), u, (u > 0).to(u.dtype)), 0.0

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        return torch.where(r > 0.5, v, -v), 0.0
