r"""Columns of a table: what a number in it is, and the real numbers that it is a function of.

A column is a surjection of :math:`\mathbb R^w` onto its values, with coordinates :math:`r \in \mathbb R^m` of the preimage of
every value, both standardized, so that one flow can make all columns of a row at once:

* a *continuous* value is one real number, :math:`v = \mathrm{loc} + \mathrm{scale} \cdot u`, and nothing is forgotten;
* an *integer* is a rounded real number, :math:`v = \operatorname{round}(\mathrm{loc} + \mathrm{scale} \cdot u)`, clamped where
  there is a smallest or a largest value; the fraction is forgotten. Unlike noise on :math:`[0, 1)`, the coordinates of the end
  cells reach the tails, so that the bound can be tight there (:mod:`~probgen.distributions.surjections.integer_column`);
* a *category* is the place of the largest of K real numbers (:mod:`~probgen.distributions.surjections.argmax_cells`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.nn.functional import one_hot

from probgen.distributions.surjections.argmax_cells import CellKind, cell_coordinates, cell_point

__all__ = ["CategoricalColumn", "Column", "ContinuousColumn", "require_columns", "require_finite", "require_positive"]


class Column:
    """One column of a table (abstract): values ``[...]`` as a function of ``width`` real numbers.

    Attributes:
        width: How many real numbers a value is a function of.
        num_coordinates: How many coordinates a preimage has, 0 if nothing is forgotten.
        num_features: How many numbers describe a value to a network.

    Example:
        >>> from probgen.distributions.surjections import CategoricalColumn, Column
        >>> isinstance(CategoricalColumn(3), Column), CategoricalColumn(3).width
        (True, 3)
    """

    width: int = 1
    num_coordinates: int = 1
    num_features: int = 1

    @property
    def support(self) -> Constraint:
        """Where the values lie."""
        raise NotImplementedError(f"{type(self).__name__} does not define `support`.")

    def project(self, u: Tensor) -> Tensor:
        """The values of points: ``[..., width]`` to ``[...]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `project`.")

    def point(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """From values ``[...]`` and coordinates ``[..., num_coordinates]`` to points ``[..., width]`` with log-determinant."""
        raise NotImplementedError(f"{type(self).__name__} does not define `point`.")

    def coordinates(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """From points ``[..., width]`` to coordinates ``[..., num_coordinates]`` and the log-determinant of these in ``u``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `coordinates`.")

    def features(self, v: Tensor) -> Tensor:
        """What a network is told of values: ``[...]`` to ``[..., num_features]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `features`.")


@dataclass(frozen=True)
class ContinuousColumn(Column):
    r"""Real numbers, :math:`v = \mathrm{loc} + \mathrm{scale} \cdot u`.

    Args:
        loc: Where the values are, such as their mean.
        scale: How far they spread, such as their standard deviation; positive.

    Raises:
        ValueError: ``loc`` is not finite, or ``scale`` not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import ContinuousColumn
        >>> ContinuousColumn(10.0, 2.0).project(torch.tensor([1.0]))
        tensor(12.)
    """

    loc: float = 0.0
    scale: float = 1.0
    num_coordinates = 0

    def __post_init__(self) -> None:
        require_finite(self.loc)
        require_positive(self.scale)

    @property
    def support(self) -> Constraint:
        """The reals."""
        return constraints.real

    def project(self, u: Tensor) -> Tensor:
        """As in ``Column``."""
        return self.loc + self.scale * u[..., 0]

    def point(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Column``; ``r`` is empty."""
        u = ((v - self.loc) / self.scale).expand(r.shape[:-1])
        return u.unsqueeze(-1), -torch.full_like(u, self.scale).log()

    def coordinates(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Column``: none, and the log-determinant of the value in ``u``."""
        return u[..., :0], torch.full_like(u[..., 0], self.scale).log()

    def features(self, v: Tensor) -> Tensor:
        """As in ``Column``."""
        return ((v - self.loc) / self.scale).unsqueeze(-1)


@dataclass(frozen=True)
class CategoricalColumn(Column):
    """Codes 0, ..., K - 1 of categories without order: the places of the largest of K real numbers.

    Args:
        categories: Number of categories K, at least 2.
        cell: The coordinates, "threshold" or "gumbel", as in ``Argmax``.

    Raises:
        ValueError: there are fewer than two categories.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import CategoricalColumn
        >>> CategoricalColumn(3).project(torch.tensor([0.0, 2.0, 1.0]))
        tensor(1.)
    """

    categories: int
    cell: CellKind = "threshold"

    def __post_init__(self) -> None:
        if self.categories < 2:
            raise ValueError(f"`categories` must be at least 2; got {self.categories}.")

    @property
    def width(self) -> int:  # type: ignore[override]
        """One number for each category."""
        return self.categories

    @property
    def num_coordinates(self) -> int:  # type: ignore[override]
        """One coordinate for each category."""
        return self.categories

    @property
    def num_features(self) -> int:  # type: ignore[override]
        """One-hot."""
        return self.categories

    @property
    def support(self) -> Constraint:
        """The codes."""
        return constraints.integer_interval(0, self.categories - 1)

    def project(self, u: Tensor) -> Tensor:
        """As in ``Column``."""
        return u.argmax(-1).to(u.dtype)

    def point(self, v: Tensor, r: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Column``."""
        return cell_point(r, one_hot(v.long(), self.categories).bool().expand(r.shape), self.cell)

    def coordinates(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """As in ``Column``."""
        return cell_coordinates(u, one_hot(u.argmax(-1), self.categories).bool(), self.cell)

    def features(self, v: Tensor) -> Tensor:
        """As in ``Column``."""
        return one_hot(v.long(), self.categories).to(v.dtype)


def require_columns(columns: Sequence[object]) -> tuple[Column, ...]:
    """Check a table's columns.

    Args:
        columns: What each column holds.

    Raises:
        ValueError: there are none.
        TypeError: something else is among them.

    Example:
        >>> from probgen.distributions.surjections import ContinuousColumn
        >>> from probgen.distributions.surjections.columns import require_columns
        >>> len(require_columns([ContinuousColumn()]))
        1
    """
    if not columns:
        raise ValueError("`columns` must hold at least one column; got none.")
    found = tuple(column for column in columns if isinstance(column, Column))
    if len(found) < len(columns):
        wrong = [type(column).__name__ for column in columns if not isinstance(column, Column)]
        raise TypeError(f"`columns` must hold columns such as `ContinuousColumn()`; got {wrong}.")
    return found


def require_finite(loc: float) -> float:
    """Check the location of a column.

    Args:
        loc: What must be a finite number.

    Returns:
        The same number.

    Raises:
        ValueError: it is none.

    Example:
        >>> from probgen.distributions.surjections.columns import require_finite
        >>> require_finite(-2.0)
        -2.0
    """
    if not math.isfinite(loc):
        raise ValueError(f"`loc` must be finite; got {loc}.")
    return loc


def require_positive(scale: float) -> float:
    """Check the scale of a column.

    Args:
        scale: What must be positive.

    Returns:
        The same number.

    Raises:
        ValueError: it is not positive.

    Example:
        >>> from probgen.distributions.surjections.columns import require_positive
        >>> require_positive(2.0)
        2.0
    """
    if not 0 < scale < math.inf:
        raise ValueError(f"`scale` must be positive and finite; got {scale}.")
    return scale
