"""Rows of images with a name on the left of each: what several models make of the same, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.plot.figures import empty_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["image_rows"]

_LETTER = 0.065  # inches, for names of eight points


def image_rows(rows: Mapping[str, Tensor], *, size: float = 0.5) -> Figure:
    """Gray images in rows with names, all on one scale; a row may be shorter than others.

    Args:
        rows: Name to images ``[n, height, width]``, all of one size.
        size: Side of one image in inches.

    Raises:
        ValueError: there are no images, or their sizes differ.
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> from probgen.plot import image_rows
        >>> figure = image_rows({"data": torch.rand(5, 8, 8), "draws": torch.rand(4, 8, 8)})
        >>> figure.axes[0].images[0].get_array().shape, [label.get_text() for label in figure.axes[0].get_yticklabels()]
        ((17, 44), ['data', 'draws'])
    """
    sizes = {tuple(images.shape[1:]) for images in rows.values()}
    if len(sizes) != 1 or len(next(iter(sizes))) != 2:
        raise ValueError(f"`rows` must hold images [n, height, width] of one size; got {sorted(sizes)}.")
    ((height, width),) = sizes
    columns = max(len(images) for images in rows.values())
    mosaic = torch.full((len(rows) * (height + 1) - 1, columns * (width + 1) - 1), torch.nan)
    for row, images in enumerate(rows.values()):
        for column, image in enumerate(images.detach().float().cpu()):
            top, left = row * (height + 1), column * (width + 1)
            mosaic[top : top + height, left : left + width] = image
    margin = 0.15 + _LETTER * max(map(len, rows))
    figure = empty_figure(margin + columns * size, len(rows) * size * height / width)
    share = margin / float(figure.get_figwidth())
    axes = figure.add_axes((share, 0.01, 0.99 - share, 0.98))
    axes.imshow(mosaic.numpy(), cmap="gray_r", interpolation="nearest", vmin=0.0, vmax=1.0, aspect="auto")
    axes.set_yticks([row * (height + 1) + (height - 1) / 2 for row in range(len(rows))], labels=list(rows), fontsize=8)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    return figure
