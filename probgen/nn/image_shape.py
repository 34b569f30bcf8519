"""What networks of images take for the shape of one."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["image_sizes"]


def image_sizes(image_shape: Sequence[int], *, name: str = "image_shape", gray: bool = False) -> tuple[int, int, int]:
    """Channels, height and width of an image.

    Args:
        image_shape: ``(C, H, W)``.
        name: What the argument is called where the user gave it.
        gray: Whether ``(H, W)`` is taken too, for one channel.

    Returns:
        ``(C, H, W)``.

    Raises:
        ValueError: it is not the shape of an image, or a size is not positive.

    Example:
        >>> from probgen.nn.image_shape import image_sizes
        >>> image_sizes([3, 8, 9]), image_sizes((8, 9), gray=True)
        ((3, 8, 9), (1, 8, 9))
    """
    sizes = (1, *image_shape) if gray and len(image_shape) == 2 else tuple(image_shape)
    if len(sizes) != 3 or min(sizes) < 1:
        accepted = "(C, H, W) or (H, W)" if gray else "(C, H, W)"
        raise ValueError(f"`{name}` must be {accepted}, all positive; got {tuple(image_shape)}.")
    channels, height, width = sizes
    return channels, height, width
