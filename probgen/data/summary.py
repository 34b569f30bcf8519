"""How data show themselves: shapes instead of numbers, so that a data set can be printed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from torch import Tensor

__all__ = ["Summarized"]


class Summarized:
    """A dataclass that prints tensors as dtype and shape (abstract).

    Example:
        >>> from probgen.data import load_digits
        >>> load_digits().test
        Split(x=uint8[397, 8, 8], y=int64[397])
    """

    def __repr__(self) -> str:
        shown = (f"{entry.name}={_shown(getattr(self, entry.name))}" for entry in fields(self))  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"


def _shown(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}"
    return repr(value)
