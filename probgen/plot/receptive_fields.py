"""Pictures of a causality certificate: what one position sees, or which position sees which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from probgen.plot.figures import empty_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from probgen.distributions.testing import CausalityReport

__all__ = ["causality"]

_KINDS = (("later", "#eeeeee"), ("blind", "#ddcc77"), ("reached", "#4477aa"), ("leak", "#cc3311"))
_COLORS = ("red", "green", "blue")


def causality(report: CausalityReport, position: int | Sequence[int] | None = None, *, size: float = 2.4) -> Figure:
    """What a position sees, as a picture of all positions; or, without a position, the matrix of who sees whom.

    Four kinds: *later* (rightly unseen), *blind* (earlier, and not seen), *reached* (earlier, and seen), *leak* (seen, and not
    earlier). The position itself carries a cross. In the matrix, rows are positions that see and columns those that are seen,
    both in the order of the network. Positions that are colors of pixels get a picture for each color.

    Args:
        report: From ``probgen.distributions.testing.check_causality``.
        position: Index into ``report.grid``, or number in row-major order; None for the matrix.
        size: Height of a picture in inches.

    Raises:
        ValueError: there is no such position.
        ImportError: matplotlib is missing.

    Example:
        >>> from probgen.distributions.testing import check_causality
        >>> from probgen.nn import MADE
        >>> from probgen.plot import causality
        >>> report = check_causality(MADE(9, 1, hidden=(32,)), (3, 3))
        >>> causality(report, position=(1, 1)).axes[0].get_title()
        '(1, 1) sees 4 of 4'
    """
    if position is None:
        order = report.rank.argsort(stable=True)
        kinds = _kinds(report)[order][:, order]
        figure, panels = _panels(kinds.unsqueeze(0), size, kinds)
        panels[0].set_title(f"{report.num_reached} of {report.num_earlier} reached, leaks: {report.num_leaks}", fontsize=8)
        panels[0].set_xlabel("position seen", fontsize=7)
        panels[0].set_ylabel("position that sees", fontsize=7)
        return figure
    number = report.index(position)
    kinds = _kinds(report)[number].reshape(report.grid)
    pictures = kinds.reshape(-1, *kinds.shape[-2:]) if kinds.dim() > 1 else kinds.reshape(1, 1, -1)
    figure, panels = _panels(pictures, size, kinds)
    place = torch.unravel_index(torch.tensor(number), pictures.shape)
    panels[int(place[0])].plot([int(place[2])], [int(place[1])], marker="x", color="black", markersize=7)
    _name_panels(panels, report, number)
    return figure


def _kinds(report: CausalityReport) -> Tensor:
    """The kind of every pair, an index into ``_KINDS``, integers ``[D, D]``."""
    return report.blind * 1 + report.reached * 2 + report.leaking * 3


def _panels(pictures: Tensor, size: float, kinds: Tensor) -> tuple[Figure, list[Axes]]:
    """Pictures ``[n, H, W]`` of kinds next to each other, with a legend of what occurs."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    height, width = pictures.shape[-2:]
    figure = empty_figure(
        len(pictures) * min(max(size * width / height, 1.6), 7.0) + 1.1, max(size if height > 1 else 0.9, 0.9)
    )
    panels = list(figure.subplots(1, len(pictures), squeeze=False)[0])
    for axes, picture in zip(panels, pictures, strict=True):
        axes.imshow(picture.numpy(), cmap=ListedColormap([color for _, color in _KINDS]), vmin=0, vmax=3, aspect="auto")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_xticks([edge - 0.5 for edge in range(1, width)], minor=True)
        axes.set_yticks([edge - 0.5 for edge in range(1, height)], minor=True)
        axes.grid(which="minor", color="white", linewidth=0.6 if width <= 32 else 0.0)
        axes.tick_params(which="both", left=False, bottom=False, labelleft=False, labelbottom=False)
    shown = [Patch(color=color, label=name) for index, (name, color) in enumerate(_KINDS) if bool((kinds == index).any())]
    figure.subplots_adjust(0.05, 0.08, 1 - 1.0 / figure.get_figwidth(), 0.86 if height > 1 else 0.6, 0.1)
    figure.legend(handles=shown, loc="center right", frameon=False, fontsize=7)
    return figure, panels


def _name_panels(panels: Sequence[Axes], report: CausalityReport, number: int) -> None:
    place = [int(entry) for entry in torch.unravel_index(torch.tensor(number), report.grid)]
    name = str(place[0]) if len(place) == 1 else str(tuple(place))
    leaks = int(report.leaking[number].sum())
    title = f"{name} sees {int(report.reached[number].sum())} of {int(report.earlier[number].sum())}"
    title += f", leaks: {leaks}" if leaks else ""
    if len(panels) == 1:
        panels[0].set_title(title, fontsize=8)
        return
    for color, axes in enumerate(panels):
        axes.set_title(_COLORS[color] if len(panels) == len(_COLORS) else f"channel {color}", fontsize=8)
    panels[0].figure.text(0.01, 0.97, title, fontsize=8, va="top")
