r"""Sorting, which forgets an order: :math:`v = \operatorname{sort}(u)`, :math:`\kappa(u \mid v) = 1 / D!`.

As an inference surjection (``Sort().inv``) it makes a density that does not depend on the order of its coordinates,
:math:`p(x) = p(\operatorname{sort} x) / D!`, from any density of *increasing* vectors. As a generative one it gives order
statistics: if :math:`p_z` is exchangeable, every weight is :math:`D!\, p_z(x)`, and the bound is exact.

The base of ``Sort().inv`` must live on increasing vectors: a density of all vectors would lose the mass of the unsorted ones,
which the composition refuses. ``Lift(pyro.distributions.transforms.OrderedTransform())`` maps onto them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.surjections.stochastic_map import StochasticMap

__all__ = ["Increasing", "Sort", "increasing"]


class Increasing(Constraint):
    """Vectors whose coordinates do not decrease; use the instance ``increasing``.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import increasing
        >>> increasing.check(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        tensor([ True, False])
    """

    event_dim = 1

    def check(self, value: Tensor) -> Tensor:
        """Whether no coordinate is less than the one before."""
        return (value[..., 1:] >= value[..., :-1]).all(-1) & (value == value).all(-1)

    def __repr__(self) -> str:
        return "Increasing()"


increasing = Increasing()


class Sort(StochasticMap):
    r""":math:`v = \operatorname{sort}(u)` of vectors; backward, a permutation with equal probabilities.

    Domain: vectors. Codomain: increasing vectors. Contribution: :math:`\log D!` forward, :math:`-\log D!` of ``.inv``.

    References:
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows. https://arxiv.org/abs/2007.02731, appendix F

    Example:
        >>> import torch
        >>> from probgen.distributions import SurjectiveDistribution, standard_normal
        >>> from probgen.distributions.surjections import Sort
        >>> order_statistics = SurjectiveDistribution(standard_normal(3), Sort())
        >>> x = torch.tensor([-1.0, 0.0, 1.0])  # the coordinates are exchangeable, so the bound is exact
        >>> order_statistics.bound(x) - standard_normal(3).log_prob(x), torch.tensor(6.0).log()
        (tensor(1.7918), tensor(1.7918))
    """

    domain = constraints.real_vector
    codomain = increasing
    draws_inverse = True

    def _forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        return z.sort(-1).values

    def _forward_and_contribution(
        self, z: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        return z.sort(-1).values, z.new_full(z.shape[:-1], math.lgamma(z.shape[-1] + 1))

    def _inverse_and_contribution(
        self, x: Tensor, context: Tensor | None = None, sample_shape: Sequence[int] = ()
    ) -> tuple[Tensor, Tensor]:
        u = x.expand(*sample_shape, *x.shape)
        order = torch.rand_like(u).argsort(-1)
        return u.gather(-1, order), u.new_full(u.shape[:-1], math.lgamma(x.shape[-1] + 1))
