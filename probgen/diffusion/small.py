"""A diffusion model of small images that trains on a CPU in seconds: the defaults of the examples and pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from probgen.data import load_digits
from probgen.diffusion.model import Diffusion
from probgen.distributions.chains import Schedule, TimeGrid, cosine_schedule
from probgen.nn import Conditioning, UNet

__all__ = ["centered_digits", "image_diffusion"]


def image_diffusion(
    event_shape: Sequence[int],
    *,
    conditioning: Conditioning | None = None,
    width: int = 32,
    multipliers: Sequence[int] = (1, 2),
    blocks: int = 1,
    attention: Sequence[int] = (1,),
    schedule: Schedule | None = None,
    grid: TimeGrid | int = 1000,
    **options: Any,
) -> Diffusion:
    """A U-Net of about a third of a million parameters, the cosine schedule and a thousand steps.

    Args:
        event_shape: ``(C, H, W)``.
        conditioning: What turns a context into features; None: no context.
        width: Channels of the first level.
        multipliers: Channels of each level, as multiples of ``width``.
        blocks: Residual blocks a level.
        attention: Levels with attention; a text needs some.
        schedule: The noise schedule.
        grid: The times of the chain, or their number.
        options: Further options of ``Diffusion``.

    Example:
        >>> import torch
        >>> import probgen as pg
        >>> from probgen.diffusion.small import image_diffusion
        >>> d = image_diffusion((1, 8, 8), conditioning=pg.nn.ClassConditioning(10))
        >>> d.ddim(steps=2)(d.prior.sample((3,)), torch.arange(3)).shape
        torch.Size([3, 1, 8, 8])
    """
    network = UNet(
        event_shape,
        width=width,
        multipliers=multipliers,
        blocks=blocks,
        attention=attention,
        heads=2,
        conditioning=conditioning,
    )
    return Diffusion(network, cosine_schedule() if schedule is None else schedule, event_shape, grid, **options)


def centered_digits(split: str = "train") -> tuple[Tensor, Tensor]:
    """The embedded 8x8 digits with values in [-1, 1], ``[N, 1, 8, 8]``, and their labels ``[N]``.

    Args:
        split: "train", "validation" or "test".

    Example:
        >>> from probgen.diffusion.small import centered_digits
        >>> x, label = centered_digits()
        >>> x.shape, label.shape, float(x.min()), float(x.max())
        (torch.Size([1200, 1, 8, 8]), torch.Size([1200]), -1.0, 1.0)
    """
    part = getattr(load_digits(), split)
    return part.x.float().unsqueeze(1) / 8 - 1, part.y
