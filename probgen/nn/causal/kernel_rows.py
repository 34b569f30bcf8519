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
    """The kernel as a matrix that multiplies ``row_patches``.

    Args:
        weight: The kernel of a convolution, ``[O, I, k, w]``.

    Returns:
        ``[k * w * I, O]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import kernel_matrix
        >>> kernel_matrix(torch.zeros(5, 2, 3, 7)).shape
        torch.Size([42, 5])
    """
    return weight.permute(2, 3, 1, 0).flatten(0, 2)


def row_patches(rows: Tensor, columns: int) -> Tensor:
    """What the kernel sees at each pixel of a row.

    Args:
        rows: The rows below the kernel, padded, ``[N, k, W + w - 1, I]``.
        columns: Width w of the kernel.

    Returns:
        ``[N, W, k * w * I]``.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import row_patches
        >>> row_patches(torch.arange(4.0).reshape(1, 1, 4, 1), 3)
        tensor([[[0., 1., 2.],
                 [1., 2., 3.]]])
    """
    return rows.unfold(2, columns, 1).permute(0, 2, 1, 4, 3).flatten(2)  # whole columns are copied


def canvas_rows(canvas: Tensor, row: int, count: int, padding: int) -> Tensor:
    """The rows above a row of images, zero above the first row and beside every row.

    Args:
        canvas: Images ``[N, C, H, W]``.
        row: The row r, from 0.
        count: How many rows above it.
        padding: How many zeros stand on the left, and on the right, of each row.

    Returns:
        The rows r - count, ..., r - 1, ``[N, count, W + 2 * padding, C]``.

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
    """The last rows of a ring, the oldest first.

    Args:
        table: The ring: row r stands in slot r mod k, ``[N, k, W, C]``.
        row: The row r before which the rows stand, from 0.
        count: How many rows, k at most.

    Returns:
        The rows r - count, ..., r - 1, ``[N, count, W, C]``.

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

    Args:
        weight: The kernel, ``[O, I, k, w]``, overwritten.
        bias: The bias ``[O]``, set to zero; None: there is none.
        mask: Ones where there is a connection, ``[O, I, k, w]``; None: everywhere.
        gain: Standard deviation of an output over that of the inputs.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.kernel_rows import initialize_causal
        >>> weight = torch.nn.Parameter(torch.empty(1000, 50, 2, 3))
        >>> initialize_causal(weight, None, None, 2.0)
        >>> round(300 * weight.var().item(), 1)
        4.0
    """
    seen = weight[0].numel() if mask is None else mask.flatten(1).sum(1).clamp_min(1).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        weight.uniform_(-1, 1).mul_(gain * (3 / torch.as_tensor(seen, dtype=weight.dtype)) ** 0.5)
        if bias is not None:
            bias.zero_()
