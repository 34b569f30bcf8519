"""What a loader returns: tensors in three fixed splits, with origin and license.

Splits are a function of (number of examples, seed) alone, from an integer hash instead of a library's random stream, so they
stay the same across versions of numpy and torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from probgen.data.summary import Summarized

__all__ = ["Dataset", "Split", "split_indices"]


@dataclass(frozen=True, repr=False)
class Split(Summarized):
    """One part of a data set.

    Attributes:
        x: The examples, ``[n, *event]``.
        y: Labels or targets, ``[n, ...]``, or None.

    Example:
        >>> import torch
        >>> from probgen.data import Split
        >>> len(Split(torch.zeros(5, 2)))
        5
    """

    x: Tensor
    y: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def labels(self) -> Tensor:
        """``y``, for those who need it.

        Raises:
            ValueError: this split has none.
        """
        if self.y is None:
            raise ValueError("this split has no labels: `y` is None.")
        return self.y

    def take(self, indices: Sequence[int] | Tensor) -> Split:
        """The examples with these indices, in that order."""
        index = torch.as_tensor(indices)
        return Split(self.x[index], None if self.y is None else self.y[index])


@dataclass(frozen=True, repr=False)
class Dataset(Summarized):
    """A data set in three splits.

    Attributes:
        name: Its usual name.
        origin: Who made it and where it comes from.
        license: Terms of use.
        train: For fitting.
        validation: For choosing.
        test: For reporting, once.
        levels: Number of values an integer entry of ``x`` can take (0 to ``levels - 1``); None for real data.

    Example:
        >>> from probgen.data import load_digits
        >>> digits = load_digits()
        >>> digits.name, digits.levels, len(digits.test)
        ('digits', 17, 397)
    """

    name: str
    origin: str
    license: str
    train: Split
    validation: Split
    test: Split
    levels: int | None = None


def split_indices(n: int, sizes: Sequence[int], *, seed: int = 0) -> list[Tensor]:
    """Shuffle ``0 .. n-1`` and cut it into parts; the last part takes what is left.

    Args:
        n: Number of examples.
        sizes: Sizes of all parts but the last.
        seed: Which shuffle.

    Raises:
        ValueError: the sizes exceed ``n``.

    Example:
        >>> from probgen.data import split_indices
        >>> [len(part) for part in split_indices(10, [7, 2])]
        [7, 2, 1]
    """
    if sum(sizes) > n:
        raise ValueError(f"`sizes` must sum to at most n = {n}; got {list(sizes)}.")
    order = torch.from_numpy(np.argsort(_hash(np.arange(n, dtype=np.uint64), seed), kind="stable"))
    return list(order.split([*sizes, n - sum(sizes)]))


def _hash(
    index: np.ndarray[tuple[int, ...], np.dtype[np.uint64]], seed: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014), a bijection of 64-bit integers that mixes well."""
    start = (seed * 0x632BE59BD9B4E019 + 0x9E3779B97F4A7C15) % 2**64
    z = index * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def three_way(x: Tensor, y: Tensor | None, train: int, validation: int, *, seed: int = 0) -> tuple[Split, Split, Split]:
    """Cut one array of examples into train, validation and test (the rest)."""
    whole = Split(x, y)
    first, second, third = (whole.take(part) for part in split_indices(len(x), [train, validation], seed=seed))
    return first, second, third
