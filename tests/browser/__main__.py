"""Look at pages in Chromium: ``python -m tests.browser docs/_build/html --search ELBO spline``. Offenders make it fail."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.browser.chromium import HOW_TO_INSTALL, executable


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as what is in them."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def main() -> int:
    """Check each place; 0 if nothing is wrong, 1 with a table of what is, 2 without a browser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("places", nargs="+", type=Path, help="HTML files, or folders of them")
    parser.add_argument("--search", nargs="*", default=[], help="words that the search of a folder has to find")
    parser.add_argument("--jobs", type=int, default=2, help="browsers side by side")
    given = parser.parse_args()
    if executable() is None:
        print(HOW_TO_INSTALL, file=sys.stderr)
        return 2
    from tests.browser.check import check, pages_under  # needs playwright

    found = 0
    for place in given.places:
        pages, start = pages_under(place), time.time()
        if not pages or not place.exists():
            print(f"{place}: no page is there", file=sys.stderr)
            return 1
        findings = check(place, given.search, given.jobs)
        found += len(findings)
        rows = [(each.page, each.kind, f"{each.width} px" if each.width else "", each.detail) for each in findings]
        if rows:
            print(table([("page", "kind", "window", "finding"), *rows]))
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(Counter(each.kind for each in findings).items()))
        print(f"{place}: {len(pages)} pages in {time.time() - start:.0f} s; {kinds or 'nothing is wrong'}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
