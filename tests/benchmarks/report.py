"""The page: tables in Markdown, a plot as SVG, the machine and the versions (no names of hosts or people)."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from probgen.demo import Measured
from probgen.plot import table
from tests.benchmarks.driver import Cell, spread
from tests.benchmarks.suites import OWN, PEERS, Plan, Results

HEAD = """# Benchmarks

Written by `make bench`; run it on your own machine, because these figures hold for one.

How it is measured: every library runs in a process of its own, because some change torch when they are imported. In each
round every library is timed once, in rotating order, and a figure is the median over rounds of *its time / probgen's time in
the same round*, with the quartiles behind it. A figure above 1 means that probgen is faster. All libraries get the same
matrices (parameter counts within 1 %), the same threads and the same inputs, copied for every call. "train" is forward and
backward of the mean negative log-density. Value checks are off in all of them. Optimization steps use the same fused
Adam on every side except in Pyro's own SVI.

Sections stand in this order: the machine, all families on the same images, then flows, autoregressive models, variational
autoencoders, adversarial networks and diffusion. A section says at its top what was run, on what and for how long.
"""


SAMPLERS = """Whole runs on one thread with a network that does nothing, so that what is left is the sampler.
"torch by hand" is the loop that one would write, with coefficients worked out before."""


def write(results: Results, plan: Plan, folder: Path) -> Path:
    """Write ``benchmarks.md`` and its plots into ``folder``; return the page."""
    parts = [HEAD, "## Machine", f"{machine(plan)}\n\nVersions: {versions(results)}."]
    if results.flows:
        parts += ["## Flows", table(*flow_table(results.flows), markdown=True), "![Ratios](benchmarks/flows.svg)"]
        parts += ["### Parameters", table(*mapping_table(results.parameters), markdown=True)]
        parts += ["### Peak memory of one train step, MiB above rest", table(*mapping_table(results.memory), markdown=True)]
    if results.incremental:
        parts += ["## Sampling an autoregressive flow against one density evaluation"]
        parts += [table(*incremental_table(results.incremental), markdown=True)]
    if results.compiled:
        parts += ["## Compiled: forward and backward", table(*cell_table(results.compiled[0], OWN), markdown=True)]
    for cell in results.steps:
        parts += [f"## Optimization step: {cell.label}", table(*cell_table(cell, "torch", compiled=True), markdown=True)]
    if results.samplers:
        parts += ["## Samplers of diffusion models", SAMPLERS, table(*sampler_table(results.samplers), markdown=True)]
    parts += _failures(results)
    for family in ("flows", "autoregressive", "vae", "gan", "diffusion"):
        parts += [Measured.read(path).markdown() for path in sorted((folder / "benchmarks").glob(f"{family}_*.json"))]
    (folder / "benchmarks").mkdir(parents=True, exist_ok=True)
    if results.flows:
        try:
            plot(results.flows, folder / "benchmarks" / "flows.svg")
        except ImportError as error:
            print(f"no plot: {error}")
    page = folder / "benchmarks.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def machine(plan: Plan) -> str:
    """Processor, cores, threads, system; and the accelerator if there is one."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
    software = f"{platform.system()}, Python {platform.python_version()}"
    text = f"{model}, {os.cpu_count()} cores, {plan.threads} threads a process, {software}"
    if plan.device != "cpu":
        import torch

        text += f", {torch.cuda.get_device_name()}"
    return text + "."


def versions(results: Results) -> str:
    """Names and versions of everything that was timed."""
    return ", ".join(f"{name} {version}" for name, version in sorted(results.versions.items()))


def flow_table(cells: list[Cell]) -> tuple[list[str], list[list[str]]]:
    """One row a case and operation: our milliseconds, then each peer's ratio with quartiles, the fastest peer in bold."""
    names = [name for name in PEERS.values() if any(name in cell.seconds or name in cell.errors for cell in cells)]
    rows = []
    for cell in cells:
        if OWN not in cell.seconds:
            continue
        present = {name: spread(cell.ratios(name)) for name in names if name in cell.seconds}
        best = min(present, key=lambda name: present[name][0], default=None)
        row = [cell.label, cell.operation, f"{cell.milliseconds(OWN):.3g}"]
        row += [_ratio(present.get(name), bold=name == best) for name in names]
        rows.append([*row, str(len(cell.seconds[OWN]))])
    return ["flow", "operation", f"{OWN}, ms", *names, "rounds"], rows


def cell_table(cell: Cell, reference: str, *, compiled: bool = False) -> tuple[list[str], list[list[str]]]:
    """One row an entry: milliseconds and ratio to ``reference``; compiled entries to its compiled form if ``compiled``."""
    rows = []
    for name in cell.seconds:
        to = f"{reference} compiled" if compiled and name.endswith(" compiled") else reference
        ratio = _ratio(spread(cell.ratios(name, to))) if to in cell.seconds else "n/a"
        rows.append([name, f"{cell.milliseconds(name):.3g}", ratio, to])
    return ["", "ms", "ratio", "to"], rows


def sampler_table(cells: list[Cell]) -> tuple[list[str], list[list[str]]]:
    """One row a case: our microseconds a step, then every other time over ours with quartiles."""
    names = list(dict.fromkeys(name for cell in cells for name in cell.seconds if name != OWN))
    rows = []
    for cell in cells:
        if OWN in cell.seconds:
            steps = int(cell.label.rsplit(", ", 1)[1].split()[0])
            ratios = [_ratio(spread(cell.ratios(name)) if name in cell.seconds else None) for name in names]
            rows.append([cell.label, f"{1e3 * cell.milliseconds(OWN) / steps:.3g}", *ratios])
    return ["run", f"{OWN}, us a step", *names], rows


def incremental_table(cells: list[Cell]) -> tuple[list[str], list[list[str]]]:
    """Milliseconds of both directions, their ratio, and microseconds for each coordinate and layer."""
    rows = []
    for cell in cells:
        if "sample" not in cell.seconds:
            continue
        dim = int(cell.label.split("D = ")[1].split(",")[0])
        sample = cell.milliseconds("sample")
        ratio = _ratio(spread(cell.ratios("sample")))
        rows.append(
            [cell.label, f"{cell.milliseconds('log_prob'):.3g}", f"{sample:.3g}", ratio, f"{1e3 * sample / dim / 5:.1f}"]
        )
    return ["flow", "log_prob, ms", "sample, ms", "sample / log_prob", "us a coordinate and layer"], rows


def mapping_table(values: dict[str, dict[str, float]]) -> tuple[list[str], list[list[str]]]:
    """One row a case, one column a library."""
    names = [name for name in (OWN, *PEERS.values()) if any(name in row for row in values.values())]
    rows = [[label, *(f"{row[name]:,.0f}" if name in row else "n/a" for name in names)] for label, row in values.items()]
    return ["flow", *names], rows


def plot(cells: list[Cell], path: Path) -> None:
    """Peers' times over ours, logarithmic; a dot a case, a bar for the quartiles."""
    import matplotlib  # extra [bench]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "probgen"
    cells = [cell for cell in cells if OWN in cell.seconds]
    figure = Figure(figsize=(8.0, 0.32 * len(cells) + 1.2))
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for shift, name in enumerate(PEERS.values()):
        for row, cell in enumerate(cells):
            if name not in cell.seconds:
                continue
            mid, low, high = spread(cell.ratios(name))
            y = row + 0.16 * (shift - 1.5)
            axes.plot([low, high], [y, y], color=f"C{shift}", linewidth=1)
            axes.plot([mid], [y], "o", color=f"C{shift}", markersize=4, label=name if row == 0 else None)
    axes.set_xscale("log")
    axes.axvline(1.0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(cells)), [f"{cell.label.rsplit(',', 1)[0]}: {cell.operation}" for cell in cells], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("time / probgen's time (right of the line: probgen is faster)")
    axes.legend(frameon=False, fontsize=8, loc="upper right")
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def _ratio(value: tuple[float, float, float] | None, *, bold: bool = False) -> str:
    if value is None:
        return "n/a"
    mid, low, high = value
    text = f"**{mid:.2f}**" if bold else f"{mid:.2f}"
    return f"{text} ({low:.2f}–{high:.2f})"


def _failures(results: Results) -> list[str]:
    cells = [*results.flows, *results.compiled, *results.incremental, *results.steps, *results.samplers]
    lines = [f"- {cell.label}, {cell.operation}, {name}: {error}" for cell in cells for name, error in cell.errors.items()]
    return ["## What could not be timed", "\n".join(lines)] if lines else []
