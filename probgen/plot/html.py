"""Self-contained HTML: headings, paragraphs, tables and figures in one file that needs no network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Page"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222;
  background: #fff; overflow-wrap: break-word; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
/* a table may be wider than the text, up to the window; beyond that it scrolls */
.wide { overflow-x: auto; width: max-content; min-width: 100%; max-width: calc(100vw - 2rem); margin-left: 50%;
  transform: translateX(-50%); }
table { border-collapse: collapse; font-size: 0.9rem; }
td, th { padding: 0.25rem 0.5rem; border-bottom: 1px solid #eee; } td { white-space: nowrap; }
th { text-align: left; vertical-align: bottom; } figure { margin: 1rem 0; }
figcaption { font-size: 0.9rem; color: #555; } img { max-width: 100%; height: auto; } ul { padding-left: 1.2rem; }
"""


class Page:
    """An HTML page that is written top to bottom.

    Args:
        title: Its title.

    Example:
        >>> from probgen.plot import Page
        >>> page = Page("Results")
        >>> page.text("1 < 2")
        >>> "<p>1 &lt; 2</p>" in page.render()
        True
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self._parts: list[str] = []

    def heading(self, text: str) -> None:
        """Add a section heading."""
        self._parts.append(f"<h2>{html.escape(text)}</h2>")

    def text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(f"<p>{html.escape(text)}</p>")

    def items(self, texts: Sequence[str]) -> None:
        """Add a list of sentences."""
        self._parts.append("<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>")

    def table(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table; floats are shown with four significant digits."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in header)
        body = "".join("<tr>" + "".join(f"<td>{_cell(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        self._parts.append(f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>')

    def figure(self, figure: Figure, caption: str) -> None:
        """Add a figure, embedded as PNG."""
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
        data = base64.b64encode(buffer.getvalue()).decode("ascii")
        alt = html.escape(caption, quote=True)
        image = f'<img alt="{alt}" src="data:image/png;base64,{data}">'
        self._parts.append(f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>")

    def render(self) -> str:
        """Return the page."""
        title = html.escape(self.title)
        phone = '<meta name="viewport" content="width=device-width, initial-scale=1">'
        head = f'<head><meta charset="utf-8">{phone}<title>{title}</title><style>{_STYLE}</style></head>'
        return (
            f'<!doctype html>\n<html lang="en">{head}<body><h1>{title}</h1>\n' + "\n".join(self._parts) + "\n</body></html>\n"
        )

    def write(self, path: str | Path) -> Path:
        """Write the page to ``path`` (folders are made) and return the path; it is there as a whole or not at all."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        unfinished.write_text(self.render(), encoding="utf-8")
        return unfinished.replace(path)


def _cell(cell: object) -> str:
    return html.escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell))
