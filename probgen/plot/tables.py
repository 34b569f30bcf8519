"""Tables as plain text and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, markdown: bool = False) -> str:
    """Lay out rows of cells in columns; floats are shown with four significant digits.

    Args:
        header: Column names.
        rows: Cells, as many in each row as in the header.
        markdown: Whether to draw Markdown's pipes; those in cells are escaped.

    Raises:
        ValueError: a row has another number of cells.

    Example:
        >>> from probgen.plot import table
        >>> print(table(["model", "bits"], [["flow", 1.23456], ["uniform", 4]]))
        model    bits
        flow     1.235
        uniform  4
    """
    wrong = [row for row in rows if len(row) != len(header)]
    if wrong:
        raise ValueError(f"every row must have {len(header)} cells; got {len(wrong[0])}.")
    cells = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in [header, *rows]]
    if markdown:
        cells = [[cell.replace("|", r"\|") for cell in row] for row in cells]  # p(x | z) is one cell
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    if not markdown:
        return "\n".join("  ".join(line).rstrip() for line in lines)
    rule = ["-" * width for width in widths]
    return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
