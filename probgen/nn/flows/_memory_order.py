"""The order in which an image lies in memory: positions first, their channels together, is what convolutions on CPUs want."""

from __future__ import annotations

from torch import Tensor

__all__ = ["channels_together"]


def channels_together(x: Tensor) -> Tensor:
    """The same numbers ``[N, C, H, W]``, on a CPU laid out as ``[N, H, W, C]``: what follows keeps the layout.

    Convolutions of few and many channels, forward and backward, then take about half of the time there. It is the layout that
    torch calls ``channels_last``, reached by operations that function transforms know.

    Args:
        x: The image.

    Example:
        >>> import torch
        >>> from probgen.nn.flows._memory_order import channels_together
        >>> channels_together(torch.zeros(2, 3, 4, 4)).stride()
        (48, 1, 12, 3)
    """
    return x.movedim(1, -1).contiguous().movedim(-1, 1) if x.device.type == "cpu" else x
