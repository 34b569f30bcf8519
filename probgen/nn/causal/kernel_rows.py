r"""Convolutions over whole rows as one matrix product a row, and the rows that have been seen as a ring.

At row r a kernel of height k reads the rows :math:`r - k + 1, \dots, r` (or :math:`r - k, \dots, r - 1`) of an image that is
padded with zeros on the left and on the right. A row that has left the kernel is overwritten by the next one: row r stands in
slot :math:`r \bmod k`, so that writing it twice changes nothing.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["canvas_rows", "initialize_causal", "kernel_matrix", "row_patches", "seen_rows"]


def kernel_matrix(weight: Tensor) -> Tensor:
    """The kernel ``[O, I, k, w]`` as a matrix ``[k * I * w, O]`` for ``row_patches``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import kernel_matrix
        >>> kernel_matrix(torch.zeros(5, 2, 3, 7)).shape
        torch.Size([42, 5])
    """
    return weight.permute(2, 1, 3, 0).flatten(0, 2)


def row_patches(rows: Tensor, columns: int) -> Tensor:
    """What the kernel sees at each pixel of a row.

    Args:
        rows: The rows below the kernel, padded, ``[N, k, W + w - 1, I]``.
        columns: Width w of the kernel.

    Returns:
        ``[N, W, k * I * w]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import row_patches
        >>> row_patches(torch.arange(4.0).reshape(1, 1, 4, 1), 3)
        tensor([[[0., 1., 2.],
                 [1., 2., 3.]]])
    """
    return rows.unfold(2, columns, 1).transpose(1, 2).flatten(2)


def canvas_rows(canvas: Tensor, row: int, count: int, padding: int) -> Tensor:
    """The ``count`` rows above a row of images ``[N, C, H, W]``, padded: ``[N, count, W + 2 * padding, C]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import canvas_rows
        >>> canvas_rows(torch.ones(1, 1, 4, 2), 1, 2, 1).squeeze()
        tensor([[0., 0., 0., 0.],
                [0., 1., 1., 0.]])
    """
    first = max(row - count, 0)
    rows = F.pad(canvas[:, :, first:row], (padding, padding, count - row + first, 0))
    return rows.permute(0, 2, 3, 1)


def seen_rows(table: Tensor, row: int, count: int) -> Tensor:
    """The last ``count`` rows before row ``row`` of a ring ``[N, k, W, C]``, the oldest first.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import seen_rows
        >>> ring = torch.tensor([3, 1, 2]).reshape(1, 3, 1, 1)  # row 3 stands where row 0 stood
        >>> seen_rows(ring, 4, 3).flatten().tolist()
        [1, 2, 3]
    """
    slots = [(row - count + k) % table.shape[1] for k in range(count)]
    return table if slots == list(range(table.shape[1])) else table[:, slots]


def initialize_causal(weight: nn.Parameter, bias: nn.Parameter | None, mask: Tensor | None, gain: float) -> None:
    r"""Weights with variance :math:`\mathrm{gain}^2 / n`, n the number of connections of the output that the mask leaves.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import initialize_causal
        >>> weight = torch.nn.Parameter(torch.empty(1000, 50, 2, 3))
        >>> initialize_causal(weight, None, None, 2.0)
        >>> round(float(300 * weight.var()), 1)
        4.0
    """
    seen = weight[0].numel() if mask is None else mask.flatten(1).sum(1).clamp_min(1).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        weight.uniform_(-1, 1).mul_(gain * (3 / torch.as_tensor(seen, dtype=weight.dtype)) ** 0.5)
        if bias is not None:
            bias.zero_()
