"""Sections of the benchmark page from stored figures, without measuring anything.

``python -m tests.benchmarks.section docs/benchmarks/flows_tabular.json`` puts the tables that an example wrote (a ``Measured``)
into ``docs/benchmarks.md``: in the place of the section with that title, or at the end.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from probgen.demo import Measured
from tests.benchmarks.driver import ROOT


def with_section(page: str, section: str) -> str:
    r"""The page with a section of the second level in the place of the one with the same title, or at the end.

    Example:
        >>> from tests.benchmarks.section import with_section
        >>> with_section("# Page\n\n## A\n\nold\n\n## B\n\nkept\n", "## A\n\nnew")
        '# Page\n\n## A\n\nnew\n\n## B\n\nkept\n'
        >>> with_section("# Page\n", "## A\n\nnew")
        '# Page\n\n## A\n\nnew\n'
    """
    title = section.splitlines()[0]
    parts = [part.strip() for part in re.split(r"^(?=## )", page, flags=re.MULTILINE)]
    places = [index for index, part in enumerate(parts) if part.splitlines()[:1] == [title]]
    if places:
        parts[places[0]] = section.strip()
    else:
        parts.append(section.strip())
    return "\n\n".join(parts) + "\n"


def main(argv: list[str] | None = None) -> Path:
    """Read, put in, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.section", description=__doc__)
    parser.add_argument("figures", type=Path, nargs="+", help="what the examples wrote")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    options = parser.parse_args(argv)
    text = options.page.read_text(encoding="utf-8")
    for path in options.figures:
        text = with_section(text, Measured.read(path).markdown())
    options.page.write_text(text, encoding="utf-8")
    print(options.page)
    return options.page


if __name__ == "__main__":
    main()
