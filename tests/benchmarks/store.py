"""Results as JSON, so that a page can be completed part by part: a cell that is measured again replaces the old one."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.driver import Cell
from tests.benchmarks.suites import Plan, Results

CELLS = ("flows", "compiled", "incremental", "steps", "samplers")
MAPPINGS = ("memory", "parameters", "versions")


def save(results: Results, plan: Plan, path: Path) -> None:
    """Write the results with the conditions under which they hold."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"conditions": conditions(plan), "results": asdict(results)}, indent=1) + "\n")


def merged(path: Path, plan: Plan, new: Results) -> Results:
    """The results on disk, if they hold under the same conditions, with the new ones put in."""
    if not path.exists():
        return new
    stored = json.loads(path.read_text())
    if stored["conditions"] != conditions(plan):
        return new
    old = stored["results"]
    result = Results()
    for name in CELLS:
        cells = {(cell["label"], cell["operation"]): Cell(**cell) for cell in old.get(name, [])}
        cells |= {(cell.label, cell.operation): cell for cell in getattr(new, name)}
        setattr(result, name, list(cells.values()))
    for name in MAPPINGS:
        setattr(result, name, {**old[name], **getattr(new, name)})
    return result


def conditions(plan: Plan) -> dict[str, object]:
    """What two runs must share to stand on one page."""
    return {"device": plan.device, "threads": plan.threads, "quick": plan.quick}
