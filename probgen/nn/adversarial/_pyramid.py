r"""Grids and channels of networks that halve images, and checks of what they are given.

Level :math:`l` has a grid of :math:`\lfloor H / 2^l \rfloor \times \lfloor W / 2^l \rfloor` pixels; level 0 is the image.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from probgen.nn.convolutional_blocks import image_grids, require_sizes

__all__ = ["COARSEST", "pyramid", "require_events"]

COARSEST = 4


def pyramid(
    image_shape: Sequence[int], channels: int, multipliers: Sequence[int] | None
) -> tuple[tuple[int, ...], list[tuple[int, int]], list[int]]:
    """The shape of an image, the grids of levels 0, 1, ..., L, and the channels of levels 1, ..., L.

    Args:
        image_shape: ``(C, H, W)``, at least 2 x 2 pixels.
        channels: Channels of level 1.
        multipliers: Channels of levels 1, ..., L as multiples of ``channels``; None: 1, 2, 4, 8, 8, ... as long as both sides
            of the coarsest grid are at least 4 (one level at the least).

    Raises:
        ValueError: a size is not positive, or there is nothing left to halve.

    Example:
        >>> from probgen.nn.adversarial._pyramid import pyramid
        >>> pyramid((1, 28, 28), 64, None)
        ((1, 28, 28), [(28, 28), (14, 14), (7, 7)], [64, 128])
        >>> pyramid((3, 64, 64), 64, None)[1:]
        ([(64, 64), (32, 32), (16, 16), (8, 8), (4, 4)], [64, 128, 256, 512])
    """
    shape, _ = image_grids(image_shape, 1)
    if multipliers is None:
        levels = 1
        while min(shape[1:]) >> (levels + 1) >= COARSEST:
            levels += 1
        multipliers = [min(2**level, 8) for level in range(levels)]
    require_sizes(channels=channels, multipliers=multipliers)
    grids = [(shape[1] >> level, shape[2] >> level) for level in range(len(multipliers) + 1)]
    if min(grids[-1]) < 1:
        raise ValueError(f"images of {shape[1]} x {shape[2]} pixels cannot be halved {len(multipliers)} time(s).")
    return shape, grids, [channels * multiplier for multiplier in multipliers]


def require_events(owner: str, name: str, x: Tensor, event_shape: Sequence[int]) -> None:
    """Check that ``x`` is ``[N, *event_shape]``.

    Args:
        owner: Who takes it, for messages.
        name: What it is called.
        x: The tensor.
        event_shape: The shape of one.

    Raises:
        ValueError: it has another shape.

    Example:
        >>> import torch
        >>> from probgen.nn.adversarial._pyramid import require_events
        >>> require_events("a critic", "x", torch.zeros(5, 2), (3,))
        Traceback (most recent call last):
        ...
        ValueError: `x` of a critic must be [N, 3]; got (5, 2).
    """
    if tuple(x.shape[1:]) != tuple(event_shape) or x.dim() != 1 + len(event_shape):
        raise ValueError(f"`{name}` of {owner} must be [N, {', '.join(map(str, event_shape))}]; got {tuple(x.shape)}.")
