r"""What the losses do with a batch before and after their own formula: draw a time for every datum, and average.

A loss is worked out for every datum and summed over its coordinates; what an optimizer minimizes is the mean over data *and*
coordinates, so that its size does not depend on the size of a datum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from probgen.diffusion.objectives.time_samplers import TimeDraws, TimeSampler

__all__ = ["draw_times", "mean_per_coordinate", "require_data"]


def require_data(x: Tensor, event_dim: int) -> None:
    """Refuse a batch without data, of which there is no mean.

    Args:
        x: Data ``[*batch, *event]``.
        event_dim: Number of event dimensions.

    Raises:
        ValueError: the batch is empty.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.loss_batches import require_data
        >>> require_data(torch.zeros(0, 2), event_dim=1)
        Traceback (most recent call last):
            ...
        ValueError: `x` must hold at least one datum; got shape (0, 2).
    """
    if x.shape[: x.dim() - event_dim].numel() == 0:
        raise ValueError(f"`x` must hold at least one datum; got shape {tuple(x.shape)}.")


def draw_times(times: TimeSampler, x: Tensor, event_dim: int) -> TimeDraws:
    """A time for every datum, each field ``[*batch]`` and on the device of the data.

    Args:
        times: Draws them.
        x: Data ``[*batch, *event]``.
        event_dim: Number of event dimensions.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives import ContinuousTimes
        >>> from probgen.diffusion.objectives.loss_batches import draw_times
        >>> draw_times(ContinuousTimes(), torch.zeros(3, 5, 2), event_dim=1).t.shape
        torch.Size([3, 5])
    """
    batch = x.shape[: x.dim() - event_dim]
    return TimeDraws(*(value.to(x.device).reshape(batch) for value in times(batch.numel())))


def mean_per_coordinate(losses: Tensor, event_shape: Sequence[int]) -> Tensor:
    """The mean over data and coordinates of losses that are summed over each datum, a scalar.

    Args:
        losses: Shape ``[*batch]``.
        event_shape: Shape of one datum.

    Example:
        >>> import torch
        >>> from probgen.diffusion.objectives.loss_batches import mean_per_coordinate
        >>> mean_per_coordinate(torch.tensor([4.0, 8.0]), (1, 2))
        tensor(3.)
    """
    return losses.mean() / max(math.prod(event_shape), 1)
