r"""How the values of an autoregressive law enter its network.

A network sees numbers, data may be codes. Ordered values (gray levels, binary pixels) are shifted and scaled,
:math:`x \mapsto (x - m) / s`; codes without an order, such as those of a codebook, become unit vectors,
:math:`k \mapsto e_k`, so that no code is "between" two others.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Embedding", "OneHotEmbedding", "ScaledEmbedding"]


class Embedding(nn.Module):
    """From a value to the numbers that a network sees of it (abstract).

    A subclass sets ``size`` and writes ``forward``: values ``[*batch]`` to numbers ``[*batch, size]`` of a dtype.

    Attributes:
        size: How many numbers stand for one value.

    Example:
        >>> from probgen.distributions import Embedding, OneHotEmbedding
        >>> isinstance(OneHotEmbedding(5), Embedding), OneHotEmbedding(5).size
        (True, 5)
    """

    size: int

    def forward(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """The numbers for values ``[*batch]``, in the given dtype: ``[*batch, size]``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `forward`.")


class ScaledEmbedding(Embedding):
    r"""One number for a value, :math:`(x - m) / s`.

    Args:
        loc: The shift :math:`m`.
        scale: The scale :math:`s`.

    Raises:
        ValueError: the scale is not positive.

    Example:
        >>> import torch
        >>> from probgen.distributions import ScaledEmbedding
        >>> ScaledEmbedding(8.0, 8.0)(torch.tensor([0, 8, 16]), torch.float32)
        tensor([[-1.],
                [ 0.],
                [ 1.]])
    """

    size = 1

    def __init__(self, loc: float = 0.0, scale: float = 1.0) -> None:
        super().__init__()
        if not scale > 0:
            raise ValueError(f"`scale` must be positive; got {scale}.")
        self.loc = float(loc)
        self.scale = float(scale)

    def forward(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """The shifted and scaled values, ``[*batch, 1]``."""
        seen = values.to(dtype)
        if self.loc != 0.0 or self.scale != 1.0:
            seen = (seen - self.loc) / self.scale
        return seen.unsqueeze(-1)


class OneHotEmbedding(Embedding):
    r"""A unit vector for each of the values :math:`0, \dots, S - 1`; zeros for anything else.

    Args:
        values: Number S of values.

    Raises:
        ValueError: there is no value.

    Example:
        >>> import torch
        >>> from probgen.distributions import OneHotEmbedding
        >>> OneHotEmbedding(3)(torch.tensor([2, 0]), torch.float32)
        tensor([[0., 0., 1.],
                [1., 0., 0.]])
    """

    def __init__(self, values: int) -> None:
        super().__init__()
        if values < 1:
            raise ValueError(f"`values` must be positive; got {values}.")
        self.size = values

    def forward(self, values: Tensor, dtype: torch.dtype) -> Tensor:
        """The unit vectors, ``[*batch, S]``."""
        return (values.unsqueeze(-1) == torch.arange(self.size, device=values.device)).to(dtype)
