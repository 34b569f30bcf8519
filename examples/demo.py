"""The main job: one model of each family on the same real images, compared in one table and on one page that opens offline.

python examples/demo.py                        five to eight minutes on two quiet cores; writes out/demo.html and out/demo.json
python examples/demo.py --data fashion-mnist   28x28 images as they are stored, 256 levels: some 20 minutes
python examples/demo.py --data fashion-mnist --device cuda --steps 8000     on an accelerator, trained longer
python examples/demo.py --smoke                seconds: everything runs, nothing is learned

The digits get all models, among them flows on vectors. Fashion-MNIST is not shrunk and its levels are not merged, so that
bits per dimension are those of the literature; it gets one convolutional model of each family, small enough for a
processor. What is scored are its first 500 test images in a fixed random order. The seed fixes everything but the seconds.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from probgen.data import ChecksumError, DataNotFoundError
from probgen.demo import DATA, Results, Settings, comparison_table, figures_of, findings, run, write_page
from probgen.plot import table


def parsed(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=tuple(DATA), default="digits", help="which images")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where models are trained and evaluated")
    parser.add_argument("--smoke", action="store_true", help="a few steps of everything")
    parser.add_argument("--steps", type=int, default=None, help="training steps, of which each model takes its share")
    parser.add_argument("--seed", type=int, default=0, help="fixes everything but the seconds")
    parser.add_argument("--out", type=Path, default=Path("out/demo.html"), help="the page to write; folders are made")
    parser.add_argument("--clock", choices=("wall", "processor"), default="wall", help="processor: where other work runs too")
    parser.add_argument("--condition", default="", help="a sentence about the machine, kept with the figures")
    parser.add_argument("--quiet", action="store_true", help="no progress bars")
    return parser.parse_args(argv)


def settings_of(options: argparse.Namespace) -> Settings:
    """How much work to do, and where."""
    settings = Settings.smoke(options.data) if options.smoke else Settings.of(options.data)
    steps = settings.steps if options.steps is None else options.steps
    return replace(settings, steps=steps, seed=options.seed, device=options.device, clock=options.clock)


def require_writable(path: Path) -> None:
    """Fail now rather than after the training."""
    if path.is_dir():
        raise OSError(f"--out must name a file; got the folder {path}.")
    path.parent.mkdir(parents=True, exist_ok=True)
    trial = path.parent / f".{path.name}.trial"
    trial.touch()
    trial.unlink()


def show(results: Results) -> None:
    """The tables, as text."""
    header, rows = comparison_table(results)
    half = header.index("parameters")
    print("\n" + table(header[:half], [row[:half] for row in rows]))
    print("\n" + table([header[0], *header[half:]], [[row[0], *row[half:]] for row in rows if row[half]]))
    print("\n" + "\n".join(findings(results)))
    for more in (results.class_table(), results.outlier_table(), results.detail_table(), results.plane_table()):
        if more[1]:
            print("\n" + table(*more))


def main(argv: list[str] | None = None) -> Path | None:
    """Train, print the tables, write figures and page; return the page's path."""
    options = parsed(argv)
    clock = {"wall": time.perf_counter, "processor": time.process_time}[options.clock]
    start = clock()

    def report(line: str) -> None:
        print(f"[{clock() - start:4.0f} s] {line}", flush=True)

    try:
        settings = settings_of(options)
        require_writable(options.out)
        results = run(settings, report=report, progress=not options.quiet and not options.smoke)
    except (ValueError, OSError, DataNotFoundError, ChecksumError) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        print("\ndemo: stopped; nothing was written, and an older page is as it was.", file=sys.stderr)
        sys.exit(130)
    show(results)
    report(f"figures written: {figures_of(results, options.condition).write(options.out.with_suffix('.json'))}")
    try:
        page = write_page(results, options.out)
    except ImportError as error:
        print(f"no page: {error}")
        return None
    report(f"page written: {page}")
    return page


if __name__ == "__main__":
    main()
