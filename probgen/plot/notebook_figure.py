"""A figure that notebooks show: matplotlib is imported with this module, so import it when a figure is made."""

from __future__ import annotations

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["NotebookFigure"]


class NotebookFigure(Figure):
    """A figure without pyplot, which a notebook shows as the value of a cell.

    Notebooks know how to show figures of pyplot, once pyplot has drawn one; a bare ``Figure`` prints as a line of text.

    Args:
        width: In inches.
        height: In inches.

    Example:
        >>> from probgen.plot.notebook_figure import NotebookFigure
        >>> NotebookFigure(2.0, 1.0)._repr_png_()[1:4]
        b'PNG'
    """

    def __init__(self, width: float, height: float) -> None:
        # No layout, whatever the user's default is; matplotlib's stub lacks the word that its documentation has.
        super().__init__(figsize=(width, height), layout="none")  # type: ignore[arg-type]
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        with io.BytesIO() as file:
            self.savefig(file, format="png")
            return file.getvalue()
