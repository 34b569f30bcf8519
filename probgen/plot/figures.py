"""Pictures: image grids, densities of the plane, histories. Every function returns a matplotlib figure and shows nothing.

Matplotlib is imported on the first call (extra ``[plot]``), and figures are built without ``pyplot``, so no global
state changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["curves", "density_2d", "history", "image_grid"]

_TITLE = 0.16  # inches above a picture for a title of seven points


def image_grid(images: Tensor, *, columns: int = 10, size: float = 0.6, titles: Sequence[str] | None = None) -> Figure:
    """Images in a grid: gray ones all on one scale, colors as they are.

    Args:
        images: ``[n, height, width]``, or ``[n, 3, height, width]`` with red, green and blue in [0, 1] (others are clipped).
        columns: Images in a row.
        size: Side of one image in inches.
        titles: One for every image.

    Raises:
        ValueError: ``images`` are neither, or the titles don't match.
        ImportError: matplotlib is missing.

    Example:
        >>> import torch
        >>> from probgen.plot import image_grid
        >>> image_grid(torch.rand(7, 8, 8), columns=4).axes[0].images[0].get_array().shape
        (17, 35)
    """
    colors = images.dim() == 4 and images.shape[1] == 3
    if images.dim() != 3 and not colors:
        raise ValueError(f"`images` must have shape [n, height, width] or [n, 3, height, width]; got {tuple(images.shape)}.")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"`titles` must hold {len(images)} strings; got {len(titles)}.")
    pixels = images.detach().float().cpu()
    pixels = pixels.permute(0, 2, 3, 1).clamp(0, 1) if colors else pixels
    n, height, width, *depth = pixels.shape
    rows = math.ceil(n / columns)
    mosaic = torch.full((rows * (height + 1) - 1, columns * (width + 1) - 1, *depth), 1.0 if colors else math.nan)
    room = 0.0 if titles is None else _TITLE
    inches = rows * size * height / width + room
    figure = empty_figure(columns * size, inches)
    axes = figure.add_axes((0.01, 0.01, 0.98, 0.98 - room / inches))
    axes.axis("off")
    for k, image in enumerate(pixels):
        top, left = k // columns * (height + 1), k % columns * (width + 1)
        mosaic[top : top + height, left : left + width] = image
        if titles is not None:
            axes.text(left + (width - 1) / 2, top - 0.6, titles[k], fontsize=7, ha="center", va="bottom")
    axes.imshow(mosaic.numpy(), cmap="gray_r", interpolation="nearest")
    return figure


def density_2d(
    densities: Mapping[str, Callable[[Tensor], Tensor]], *, bound: float = 4.0, points: int = 120, columns: int = 4
) -> Figure:
    """Densities over the square [-bound, bound]^2, one picture for each.

    Args:
        densities: Title to log-density, a function of ``[n, 2]`` that returns ``[n]`` nats.
        bound: Half the side of the square.
        points: Grid points along a side.
        columns: Pictures in a row.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> from probgen.data.toys import rings
        >>> from probgen.plot import density_2d
        >>> len(density_2d({"rings": rings().log_prob}, points=20, columns=1).axes)
        1
    """
    columns = min(columns, len(densities))
    rows = math.ceil(len(densities) / columns)
    axis = torch.linspace(-bound, bound, points)
    grid = torch.cartesian_prod(axis, axis)
    figure = empty_figure(2.0 * columns, 2.15 * rows)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.axis("off")
    for axes, (title, log_density) in zip(panels, densities.items(), strict=False):
        with torch.no_grad():
            value = log_density(grid).exp().reshape(points, points).T
        axes.imshow(value.cpu().numpy(), origin="lower", extent=(-bound, bound, -bound, bound), cmap="viridis")
        axes.set_title(title, fontsize=8, pad=3)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.92, 0.05, 0.15)
    return figure


def history(curves: Mapping[str, Sequence[float] | Tensor], *, ylabel: str = "loss", xlabel: str = "step") -> Figure:
    """Curves over steps.

    Args:
        curves: Label to values; the k-th value is drawn at k.
        ylabel: Name of the values, with their unit.
        xlabel: Name of the steps.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> from probgen.plot import history
        >>> history({"train": [2.0, 1.0]}, ylabel="loss / nats").axes[0].get_ylabel()
        'loss / nats'
    """
    figure = empty_figure(5.0, 3.0)
    axes = figure.subplots()
    for label, values in curves.items():
        axes.plot(torch.as_tensor(values).detach().float().cpu().numpy(), label=label, linewidth=1.2)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def curves(
    lines: Mapping[str, tuple[Sequence[float] | Tensor, Sequence[float] | Tensor]], *, xlabel: str, ylabel: str
) -> Figure:
    """Curves in one pair of axes.

    Args:
        lines: Label to the coordinates of its points; an empty label stays out of the legend.
        xlabel: Name of the first coordinate, with its unit.
        ylabel: Name of the second.

    Raises:
        ImportError: matplotlib is missing.

    Example:
        >>> from probgen.plot import curves
        >>> curves({"model": ([0.0, 1.0], [2.0, 1.0])}, xlabel="rate / bits", ylabel="distortion").axes[0].get_xlabel()
        'rate / bits'
    """
    figure = empty_figure(5.0, 3.0)
    axes = figure.subplots()
    for label, points in lines.items():
        x, y = (torch.as_tensor(values).detach().float().cpu().numpy() for values in points)
        axes.plot(x, y, label=label or None, linewidth=1.2)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if any(lines):
        axes.legend(frameon=False)
    figure.tight_layout()
    return figure


def empty_figure(width: float, height: float) -> Figure:
    """A figure without axes, drawn without global state; its size is in inches."""
    try:
        from probgen.plot.notebook_figure import NotebookFigure
    except ImportError:
        raise ImportError("matplotlib is needed for plots: install it with `pip install probgen[plot]`.") from None
    return NotebookFigure(width, height)
