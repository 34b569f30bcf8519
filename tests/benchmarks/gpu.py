"""The same tables on a GPU: ``python -m tests.benchmarks.gpu [--quick] [--parts flows steps]``.

Libraries that are not installed are left out; nothing is written into ``docs`` unless ``--out`` says so.
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(argv: list[str]) -> None:
    """Run the benchmarks on ``cuda`` and print the page."""
    import torch

    from tests.benchmarks.__main__ import main as run

    if not torch.cuda.is_available():
        print("no GPU is available: run `python -m tests.benchmarks` instead")
        raise SystemExit(2)
    arguments = ["--device", "cuda", *argv]
    if "--out" not in argv:
        arguments += ["--out", "build/benchmarks-gpu"]
    page: Path = run(arguments)
    print(page.read_text())


if __name__ == "__main__":
    main(sys.argv[1:])
