"""How many branches the tests took: ``python -m tests.repository.branches build/coverage.json`` fails below the threshold."""

from __future__ import annotations

import json
import sys
from pathlib import Path

THRESHOLD = 95.0  # percent


def verdict(report: dict) -> tuple[bool, str]:
    """Whether the share is large enough, and the share with the files that miss most."""
    taken, branches = report["totals"]["covered_branches"], report["totals"]["num_branches"]
    share = 100 * taken / branches
    missing = sorted(((file["summary"]["missing_branches"], name) for name, file in report["files"].items()), reverse=True)
    lines = [f"{share:.1f} % of {branches} branches are taken by tests; {THRESHOLD:g} % are wanted"]
    lines += [f"{count:5d} not taken in {name}" for count, name in missing[:10] if count]
    return share >= THRESHOLD, "\n".join(lines)


if __name__ == "__main__":
    enough, text = verdict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    print(text)
    sys.exit(not enough)
