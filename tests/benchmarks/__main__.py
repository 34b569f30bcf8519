"""``make bench``: time flows and optimization steps against peers and write ``docs/benchmarks.md``.

``python -m tests.benchmarks --quick`` runs everything at tiny sizes in a minute and writes nothing into docs.
With ``--parts`` or ``--dims`` only those are measured; the rest of the page stays if threads and device are the same.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from probgen.plot import table
from tests.benchmarks.driver import ROOT
from tests.benchmarks.report import flow_table, write
from tests.benchmarks.store import merged, save
from tests.benchmarks.suites import Plan, Results, run

PARTS = ("flows", "incremental", "steps", "compiled", "samplers")


def main(argv: list[str] | None = None) -> Path:
    """Parse the command line, measure, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to test the harness")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=2, help="threads in every process")
    parser.add_argument("--rounds", type=int, default=21, help="rounds a cell at most")
    parser.add_argument("--budget", type=float, default=20.0, help="seconds a cell")
    parser.add_argument("--dims", type=int, nargs="+", default=[16, 64, 256], help="dimensions of the flows")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--out", type=Path, default=None, help="folder of benchmarks.md (default: docs)")
    options = parser.parse_args(argv)
    plan = Plan(
        options.quick,
        options.device,
        options.threads,
        3 if options.quick else options.rounds,
        1.0 if options.quick else options.budget,
        tuple(options.dims),
    )
    out = options.out or (Path(tempfile.mkdtemp(prefix="benchmarks")) if options.quick else ROOT / "docs")
    stored = out / "benchmarks" / "results.json"
    begin = time.perf_counter()

    def show(results: Results) -> None:
        cells = [*results.flows, *results.incremental, *results.compiled, *results.steps, *results.samplers]
        cell = cells[-1]
        times = ", ".join(f"{name} {cell.milliseconds(name):.3g} ms" for name in cell.seconds)
        failed = f"; failed: {', '.join(cell.errors)}" if cell.errors else ""
        print(f"[{time.perf_counter() - begin:5.0f} s] {cell.label}, {cell.operation}: {times}{failed}", flush=True)
        combined = merged(stored, plan, results)
        save(combined, plan, stored)
        write(combined, plan, out)

    results = merged(stored, plan, run(plan, frozenset(options.parts), show))
    page = write(results, plan, out)
    if results.flows:
        print(table(*flow_table(results.flows)))
    print(page)
    return page


if __name__ == "__main__":
    main()
