"""The main job: models of real digits, unconditional and by class; bits/dim, Bayes' rule, reweighting, outliers, a page.

python examples/demo.py             four to five minutes on two quiet cores; writes out/demo.html
python examples/demo.py --smoke     a few seconds: everything runs, nothing is learned
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from probgen.demo import Settings, run, write_page
from probgen.plot import table


def main(argv: list[str] | None = None) -> Path | None:
    """Train, print the tables, write the page; return its path."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    parser.add_argument("--steps", type=int, default=None, help="training steps of each model")
    parser.add_argument("--out", type=Path, default=Path("out/demo.html"), help="the page to write")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    options = parser.parse_args(argv)
    settings = Settings.smoke() if options.smoke else Settings(**({"steps": options.steps} if options.steps else {}))
    begin = time.perf_counter()

    def report(line: str) -> None:
        print(f"[{time.perf_counter() - begin:4.0f} s] {line}", flush=True)

    results = run(settings, report=report, progress=not options.quiet and not options.smoke)
    draws = results.quality_table()
    for rows in (results.score_table(), draws, results.class_table(), results.outlier_table(), results.plane_table()):
        print("\n" + table(*rows))
    print("\nBits/dim are exact for the dequantized density and an upper bound for the integers 0 to 16.")
    try:
        page = write_page(results, options.out)
    except ImportError as error:
        print(error)
        return None
    report(f"page written: {page}")
    return page


if __name__ == "__main__":
    main()
