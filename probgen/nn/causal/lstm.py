r"""What the row and the diagonal LSTM share: the update of a cell, and the skewed map on which diagonals are columns.

.. math:: c = \sigma(f) \odot c' + \sigma(i) \odot \tanh(g), \qquad h = \sigma(o) \odot \tanh(c),

with gates :math:`(o, f, i, g)` that are sums of a map of the input and one of the states before. The candidate :math:`g`
passes through tanh, not through a sigmoid: it must be able to take away.

The *skewed map* of an image moves row :math:`i` by :math:`i` columns to the right, so that column :math:`d` holds the diagonal
:math:`i + j = d`, and zeros where the image has no pixel.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["lstm_update", "skewed", "unskewed"]


def lstm_update(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """The next state and cell.

    Args:
        gates: Output, forget, input gate and candidate before their activations, ``[..., 4 * H]``.
        cell: The cell before, ``[..., H]``.

    Returns:
        State and cell, ``[..., H]`` each.

    References:
        Hochreiter, Schmidhuber (1997). Long short-term memory. https://doi.org/10.1162/neco.1997.9.8.1735
        Gers, Schmidhuber, Cummins (2000). Learning to forget. https://doi.org/10.1162/089976600300015015

    Example:
        >>> import torch
        >>> from probgen.nn.causal.lstm import lstm_update
        >>> state, cell = lstm_update(torch.tensor([0.0, 0.0, 0.0, 1.0]), torch.tensor([2.0]))
        >>> cell, torch.allclose(cell, torch.tensor([1.0]) + 0.5 * torch.tensor([1.0]).tanh())
        (tensor([1.3808]), True)
    """
    size = cell.shape[-1]
    output, forget, accept = torch.sigmoid(gates[..., : 3 * size]).chunk(3, -1)
    cell = forget * cell + accept * torch.tanh(gates[..., 3 * size :])
    return output * torch.tanh(cell), cell


def skewed(x: Tensor) -> Tensor:
    """Move row ``i`` by ``i`` columns, ``[..., H, W]`` to ``[..., H, H + W - 1]``, zeros elsewhere.

    Args:
        x: Images.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.lstm import skewed
        >>> skewed(torch.tensor([[1, 2], [3, 4], [5, 6]]))
        tensor([[1, 2, 0, 0],
                [0, 3, 4, 0],
                [0, 0, 5, 6]])
    """
    height, width = x.shape[-2:]
    padded = F.pad(x, (0, height)).flatten(-2)  # of a row W + H; read again in rows of W + H - 1, each begins one later
    kept = padded[..., : height * (height + width - 1)]
    return kept.unflatten(-1, (height, height + width - 1))  # type: ignore[no-any-return]


def unskewed(x: Tensor) -> Tensor:
    """Undo ``skewed``: ``[..., H, H + W - 1]`` to ``[..., H, W]``.

    Args:
        x: Skewed maps; what stands outside of the image is dropped.

    Example:
        >>> import torch
        >>> from probgen.nn.causal.lstm import skewed, unskewed
        >>> unskewed(skewed(torch.tensor([[1, 2], [3, 4]])))
        tensor([[1, 2],
                [3, 4]])
    """
    height, columns = x.shape[-2:]
    padded: Tensor = F.pad(x.flatten(-2), (0, height)).unflatten(-1, (height, columns + 1))
    return padded[..., : columns + 1 - height]
