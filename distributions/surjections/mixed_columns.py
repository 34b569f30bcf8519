r"""Rows of a table whose columns are real numbers, integers and categories, made from one vector of real numbers.

A row is :math:`v = (g_1(u_1), \dots, g_C(u_C))`, the vector :math:`u` cut into blocks, one a column. One flow for the whole
vector models the dependence of columns of different kinds; one guide :math:`\kappa(r \mid v)` for the coordinates of all
columns, given the *row*, can follow that dependence too, which a guide for each column alone could not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pyro.distributions as dist
import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.constraints import Product
from probgen.distributions.surjections.columns import Column, require_columns
from probgen.distributions.surjections.surjection import RemainderLaw, Surjection

__all__ = ["MixedColumns"]


class MixedColumns(Surjection):
    r"""The surjection of :math:`\mathbb R^W` onto rows of a table: :math:`W = \sum_c w_c` numbers for its C columns.

    Categories and integers of a row are floating-point numbers. Without a column that forgets, it is a bijector, and exact.

    Args:
        columns: What each column holds.
        law: From rows ``[*batch, C]`` to the law of all coordinates, real vectors of length ``num_coordinates``, with
            ``rsample``; None for independent logistic ones, which are uniform noise inside the cell of an integer.
        context_shape: Trailing shape of the context that ``law`` takes, or None.

    Raises:
        ValueError: there are no columns.
        TypeError: something else is among them.

    References:
        Hoogeboom, Nielsen, Jaini, Forré, Welling (2021). Argmax flows and multinomial diffusion.
        https://arxiv.org/abs/2102.05379
        Nielsen, Jaini, Hoogeboom, Winther, Welling (2020). SurVAE flows. https://arxiv.org/abs/2007.02731

    Example:
        >>> import torch
        >>> from probgen.distributions import SurjectiveDistribution, standard_normal
        >>> from probgen.distributions.surjections import CategoricalColumn, ContinuousColumn, IntegerColumn, MixedColumns
        >>> rows = MixedColumns([ContinuousColumn(5.0, 2.0), IntegerColumn(), CategoricalColumn(3)])
        >>> p = SurjectiveDistribution(standard_normal(rows.width), rows)
        >>> p.sample((4,)).shape, p.bound(torch.tensor([5.0, 0.0, 2.0]), num_draws=10).shape
        (torch.Size([4, 3]), torch.Size([]))
    """

    has_rsample = False

    def __init__(
        self,
        columns: Sequence[Column],
        law: RemainderLaw | None = None,
        *,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(law, context_shape)
        self.columns = require_columns(columns)
        self.draws_inverse = self.num_coordinates > 0
        self.has_rsample = not self.draws_inverse

    @property
    def width(self) -> int:
        """How many real numbers make a row."""
        return sum(column.width for column in self.columns)

    @property
    def num_coordinates(self) -> int:
        """How many coordinates the guide draws."""
        return sum(column.num_coordinates for column in self.columns)

    @property
    def domain(self) -> Constraint:  # type: ignore[override]
        """Vectors."""
        return constraints.real_vector

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        """The product of the columns' supports."""
        return Product([column.support for column in self.columns], [1] * len(self.columns))

    def extra_repr(self) -> str:
        """The columns."""
        return ", ".join(str(column) for column in self.columns)

    def _forward_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        self._require(event[0], self.width)
        return (len(self.columns),)

    def _inverse_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        self._require(event[0], len(self.columns))
        return (self.width,)

    def _remainder_event(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (self.num_coordinates,)

    def _default_law(self, v: Tensor, batch: torch.Size, event: tuple[int, ...]) -> TorchDistribution:
        loc = torch.zeros((*batch, *event), dtype=v.dtype, device=v.device)
        return cast(TorchDistribution, dist.Logistic(loc, torch.ones_like(loc), validate_args=False).to_event(1))

    def _project(self, u: Tensor) -> Tensor:
        self._require(u.shape[-1], self.width)
        return torch.stack([column.project(block) for column, block in zip(self.columns, self._blocks(u), strict=True)], -1)

    def _split(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor | float]:
        pairs = [column.coordinates(block) for column, block in zip(self.columns, self._blocks(u), strict=True)]
        log_det = torch.stack([log_det for _, log_det in pairs]).sum(0)
        return self._project(u), torch.cat([r for r, _ in pairs], -1), log_det

    def _join(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor | float]:
        self._require(v.shape[-1], len(self.columns))
        coordinates = r.split([column.num_coordinates for column in self.columns], -1)
        pairs = [column.point(*given) for column, *given in zip(self.columns, v.unbind(-1), coordinates, strict=True)]
        log_det = torch.stack([log_det for _, log_det in pairs]).sum(0)
        return torch.cat([u for u, _ in pairs], -1), log_det

    def _blocks(self, u: Tensor) -> tuple[Tensor, ...]:
        blocks: tuple[Tensor, ...] = u.split([column.width for column in self.columns], -1)
        return blocks

    def _require(self, length: int, wanted: int) -> None:
        if length != wanted:
            raise ValueError(f"{type(self).__name__} needs vectors of length {wanted}; got {length}.")
