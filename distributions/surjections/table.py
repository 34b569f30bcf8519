"""What the columns of a table hold, read off its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from probgen.distributions.surjections.columns import CategoricalColumn, Column, ContinuousColumn
from probgen.distributions.surjections.integer_column import IntegerColumn
from probgen.distributions.surjections.rounding import integers

__all__ = ["ColumnKind", "columns_of"]

ColumnKind = Literal["continuous", "integer", "ordinal", "categorical"]
"""What a column holds: real numbers, integers, integers between a smallest and a largest, or codes of categories."""


def columns_of(table: Tensor, kinds: Sequence[ColumnKind]) -> tuple[Column, ...]:
    """Describe the columns of a table, locations, scales and ranges taken from its values.

    Args:
        table: Rows ``[n, columns]``, the training data; a later value outside the range of an ordinal or categorical column is
            outside the support.
        kinds: What each column holds.

    Raises:
        ValueError: a number is not finite, the numbers of columns differ, a kind is unknown, or values do not fit their kind.

    Example:
        >>> import torch
        >>> from probgen.distributions.surjections import columns_of
        >>> columns_of(torch.tensor([[1.5, 3.0, 0.0], [2.5, 5.0, 1.0]]), ["continuous", "ordinal", "categorical"])[1:]
        (IntegerColumn(loc=4.0, scale=1.0, low=3, high=5), CategoricalColumn(categories=2, cell='threshold'))
    """
    if table.dim() != 2 or table.shape[1] != len(kinds) or not len(table):
        raise ValueError(f"`table` must be [n, {len(kinds)}], as many columns as `kinds`; got shape {tuple(table.shape)}.")
    if not bool(torch.isfinite(table).all()):
        raise ValueError("`table` must hold finite numbers: fill in or leave out what is missing first.")
    return tuple(_described(values, kind) for values, kind in zip(table.double().unbind(1), kinds, strict=True))


def _described(values: Tensor, kind: ColumnKind) -> Column:
    if kind not in ("continuous", "integer", "ordinal", "categorical"):
        raise ValueError(f"`kinds` must be continuous, integer, ordinal or categorical; got {kind!r}.")
    loc, scale = float(values.mean()), float(values.std(correction=0))
    scale = scale if scale > 0 else 1.0
    if kind == "continuous":
        return ContinuousColumn(loc, scale)
    if not bool(integers.check(values).all()):
        raise ValueError(f"the values of {kind} columns must be integers; got {values[values % 1 != 0][0].item()}.")
    low, high = int(values.min()), int(values.max())
    if kind == "integer":
        return IntegerColumn(loc, scale)
    if kind == "ordinal":
        return IntegerColumn(loc, scale, low, high)
    if low < 0:
        raise ValueError(f"the codes of categorical columns must be 0, 1, ...; got {low}.")
    return CategoricalColumn(max(high + 1, 2))
