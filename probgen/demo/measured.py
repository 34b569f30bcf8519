"""Measured figures as data: a title, the conditions, tables; written as JSON and shown as Markdown."""

from __future__ import annotations

import json
import platform
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from probgen.plot import table

__all__ = ["Measured", "software"]


@dataclass
class Measured:
    """What a program measured.

    Attributes:
        title: What it is about.
        conditions: Sentences: model, data, machine.
        tables: Caption, header and rows of each table.

    Example:
        >>> from probgen.demo import Measured
        >>> found = Measured("Digits", ["17 levels."])
        >>> print(found.add("Bits", ["model", "bits"], [["flow", "2.0"]]))
        <BLANKLINE>
        Bits
        model  bits
        flow   2.0
        >>> print(found.markdown())
        ## Digits
        <BLANKLINE>
        17 levels.
        <BLANKLINE>
        Bits
        <BLANKLINE>
        | model | bits |
        | ----- | ---- |
        | flow  | 2.0  |
    """

    title: str
    conditions: list[str] = field(default_factory=list)
    tables: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)

    def add(self, caption: str, header: list[str], rows: list[list[str]]) -> str:
        """Add a table; return it as text."""
        self.tables.append((caption, header, rows))
        return f"\n{caption}\n{table(header, rows)}"

    def markdown(self) -> str:
        """The section as Markdown."""
        parts = [f"## {self.title}", " ".join(self.conditions)]
        for caption, header, rows in self.tables:
            parts += [caption, table(header, rows, markdown=True)]
        return "\n\n".join(parts)

    def write(self, path: str | Path) -> Path:
        """Write JSON; folders are made."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: str | Path) -> Measured:
        """Read what ``write`` wrote."""
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(found["title"], found["conditions"], [(caption, header, rows) for caption, header, rows in found["tables"]])


def software() -> str:
    """Versions and threads, in words.

    Example:
        >>> from probgen.demo import software
        >>> software().startswith("Python")
        True
    """
    threads = torch.get_num_threads()
    return f"Python {platform.python_version()}, torch {torch.__version__}, {threads} thread{'s' if threads > 1 else ''}"
