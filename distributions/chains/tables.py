"""Tables of numbers that a model carries along: exact whatever it is cast to, read without waiting for the device."""

from __future__ import annotations

from typing import Any, Self

from torch import Tensor, nn

__all__ = ["ExactTables", "entries"]


class ExactTables(nn.Module):
    """A module whose own buffers move with it but keep their dtype, so that ``.half()`` does not round them (abstract).

    Parameters are cast as in any module.

    Example:
        >>> from probgen.distributions.chains import linear_schedule
        >>> linear_schedule(10).half().attenuation.dtype
        torch.float64
    """

    def _apply(self, fn: Any, recurse: bool = True) -> Self:  # noqa: FBT001, FBT002  # torch's signature
        exact = dict(self._buffers)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, buffer in exact.items():
            if buffer is not None:
                self._buffers[name] = buffer.to(self.get_buffer(name).device)
        return self


def entries(table: Tensor, index: Tensor) -> Tensor:
    """The entries of a table at indices of any shape.

    ``table[index]`` would read a scalar index back from the device, and ``take`` has no rule for ``vmap``.

    Args:
        table: Shape ``[K]``.
        index: Integers 0 to K - 1, of any shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains.tables import entries
        >>> entries(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([[2, 0]]))
        tensor([[4., 1.]])
    """
    return table.gather(0, index.reshape(-1)).reshape(index.shape)
