r"""A pool of earlier draws, from which a critic is shown some instead of the newest ones.

A generator may run around its critic: what it has stopped making, the critic forgets. A pool keeps :math:`m` earlier draws;
while it is not full it takes every draw and gives it back, then each new draw is, with probability one half, exchanged for one
that stands in the pool.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

__all__ = ["DrawPool"]


class DrawPool(nn.Module):
    """Earlier draws of a generator, exchanged at random for new ones in training mode.

    The pool is made of buffers, so it is part of a checkpoint, and a run that is resumed goes on exactly. Nothing is read from
    the device: whether the pool is full is a tensor. In evaluation mode draws pass through.

    Args:
        size: How many draws it holds; 0 for none.
        event_shape: Shape of a draw.

    Raises:
        ValueError: ``size`` is negative.

    References:
        Shrivastava et al. (2017). Learning from simulated and unsupervised images through adversarial training.
        https://arxiv.org/abs/1612.07828

    Example:
        >>> import torch
        >>> from probgen.gan import DrawPool
        >>> pool = DrawPool(2, event_shape=(1,))
        >>> pool(torch.tensor([[1.0], [2.0]])).flatten()  # not full before: both are kept and given back
        tensor([1., 2.])
        >>> later = pool(torch.tensor([[3.0], [4.0]]))
        >>> sorted([*later.flatten().tolist(), *pool.events.flatten().tolist()])  # exchanged, or lost for good
        [1.0, 2.0, ...]
    """

    events: Tensor
    count: Tensor

    def __init__(self, size: int, event_shape: Sequence[int]) -> None:
        super().__init__()
        if size < 0:
            raise ValueError(f"`size` must not be negative; got {size}.")
        self.size = size
        self.register_buffer("events", torch.zeros(size, *event_shape))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, draws: Tensor) -> Tensor:
        """New draws ``[N, *event]``, some of them exchanged for earlier ones; without gradients.

        Args:
            draws: Shape ``[N, *event]``.

        Raises:
            ValueError: the draws have another shape.
        """
        if draws.shape[1:] != self.events.shape[1:]:
            raise ValueError(f"`draws` must have shape [N, {list(self.events.shape[1:])}]; got {list(draws.shape)}.")
        draws = draws.detach()
        if not self.training or not self.size or not len(draws):
            return draws
        return torch.cat([self._exchanged(part) for part in draws.split(self.size)])

    def _exchanged(self, draws: Tensor) -> Tensor:
        """Exchange at most as many draws as the pool holds: new ones fill free places first, the others meet different ones."""
        index = torch.arange(len(draws), device=draws.device)
        places = torch.arange(self.size, device=draws.device)
        fills = self.count + index < self.size
        taken_first = torch.where(places < self.count, torch.rand(self.size, device=draws.device), 2.0).argsort()
        beyond = (index - (self.size - self.count)).clamp_min(0)
        place = torch.where(fills, self.count + index, taken_first[beyond])
        earlier = self.events[place]
        swaps = ~fills & (torch.rand(len(draws), device=draws.device) < 0.5)
        swaps_, enters = (_over(flag, draws) for flag in (swaps, fills | swaps))
        self.events.index_copy_(0, place, torch.where(enters, draws.to(self.events.dtype), earlier))
        self.count.copy_((self.count + len(draws)).clamp_max(self.size))
        return torch.where(swaps_, earlier.to(draws.dtype), draws)

    def extra_repr(self) -> str:
        """Its size."""
        return f"{self.size}, event_shape={tuple(self.events.shape[1:])}"


def _over(flag: Tensor, like: Tensor) -> Tensor:
    return flag.reshape(-1, *(1,) * (like.dim() - 1))
