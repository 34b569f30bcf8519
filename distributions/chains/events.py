r"""Coefficients and normal laws over events of any shape: one number for each datum, spread over its coordinates."""

from __future__ import annotations

from typing import cast

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

__all__ = ["normal_over_event", "over_event"]


def over_event(coefficient: Tensor, event_dim: int, like: Tensor) -> Tensor:
    """Let a coefficient of the shape of a batch broadcast over the event, in the dtype and on the device of ``like``.

    Args:
        coefficient: Shape ``[*batch]``; a scalar stays one.
        event_dim: Number of event dimensions.
        like: Gives dtype and device.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains.events import over_event
        >>> over_event(torch.ones(5), 2, like=torch.zeros(5, 8, 8).double()).shape
        torch.Size([5, 1, 1])
    """
    cast_coefficient = coefficient.to(dtype=like.dtype, device=like.device)
    if not cast_coefficient.dim():
        return cast_coefficient
    return cast_coefficient.reshape(*cast_coefficient.shape, *(1,) * event_dim)


def normal_over_event(mean: Tensor, std: Tensor, event_dim: int) -> TorchDistribution:
    r"""Independent normal coordinates, the last ``event_dim`` dimensions being the event.

    Args:
        mean: Shape ``[*batch, *event]``.
        std: Standard deviation, broadcasting with the mean.
        event_dim: Number of event dimensions.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains.events import normal_over_event
        >>> law = normal_over_event(torch.zeros(5, 8, 8), torch.tensor(0.1), 2)
        >>> law.batch_shape, law.event_shape
        (torch.Size([5]), torch.Size([8, 8]))
    """
    return cast(TorchDistribution, dist.Normal(mean, std).to_event(event_dim))
