"""Interleaved timing: every library in its own process, rounds in rotating order, ratios paired within a round.

A shared machine has fast and slow minutes. In each round every subject is timed once, one after the other, so that a slow
minute hits all of them; the figure is the median over rounds of (time of the subject) / (time of probgen in the same round).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.cases import FlowCase, SamplerCase, StepCase, to_message

ROOT = Path(__file__).resolve().parents[2]


class Process:
    """One worker process, driven over pipes."""

    def __init__(self, name: str, *, threads: int, python: str, log: Path | None = None) -> None:
        self.name = name
        environment = dict(os.environ, PYTHONPATH=str(ROOT), OMP_NUM_THREADS=str(threads), PYTHONWARNINGS="ignore")
        command = [python, "-m", "tests.benchmarks.worker", name, str(threads)]
        errors = subprocess.DEVNULL if log is None else open(log / f"{name}.log", "w")  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for the answer; a dead process answers with an error."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        return json.loads(line) if line else {"error": "the process died"}

    def close(self) -> None:
        """End the process and wait for it."""
        self.process.stdin.close()
        self.process.wait()


@dataclass(frozen=True)
class Entry:
    """One column: a name, the process that runs it, and the operation there."""

    name: str
    process: Process
    operation: str


@dataclass
class Cell:
    """Timings of one case: for every entry, seconds a call in every round (or why there are none).

    Attributes:
        label: The case.
        operation: What was timed.
        reference: The entry that ratios are taken to.
        seconds: Entry to seconds a call, one for each round.
        errors: Entry to the reason why it has no timings.
    """

    label: str
    operation: str
    reference: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    def milliseconds(self, name: str) -> float:
        return 1e3 * median(self.seconds[name])

    def ratios(self, name: str, to: str | None = None) -> list[float]:
        """Paired ratios to the reference (or to another entry), one a round."""
        pairs = zip(self.seconds[name], self.seconds[to or self.reference], strict=True)
        return [mine / theirs for mine, theirs in pairs]


def spread(values: list[float]) -> tuple[float, float, float]:
    """Median and quartiles."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, _, high = quantiles(values, n=4, method="inclusive")
    return median(values), low, high


def measure(entries: list[Entry], label: str, operation: str, *, rounds: int, budget: float, least: float = 0.05) -> Cell:
    """Time the entries in interleaved rounds; the first one is the reference.

    Args:
        entries: What to time; their processes hold the case already.
        label: Name of the case.
        operation: Name of the operation, for the table.
        rounds: Rounds at most (odd numbers give a median that was measured).
        budget: Seconds after which no new round begins (three rounds are always made).
        least: Seconds that one timing should last; fast operations are repeated.
    """
    cell = Cell(label, operation, entries[0].name)
    alive, repeats = [], {}
    for entry in entries:
        warm = _warmed_up(entry)
        failure = next((reply["error"] for reply in warm if "error" in reply), None)
        if failure is None:
            alive.append(entry)
            repeats[entry.name] = max(1, min(500, round(least / min(reply["seconds"] for reply in warm))))
            cell.seconds[entry.name] = []
        else:
            cell.errors[entry.name] = failure
    if entries[0] not in alive:
        return cell
    start = time.perf_counter()
    for number in range(rounds):
        if number >= 3 and time.perf_counter() - start > budget:
            break
        turn = number % len(alive)
        for entry in alive[turn:] + alive[:turn]:
            reply = entry.process.ask(time=entry.operation, repeats=repeats[entry.name])
            cell.seconds[entry.name].append(reply["seconds"])
    return cell


def _warmed_up(entry: Entry) -> list[dict[str, Any]]:
    """Answers of the first calls: the first may compile, and a few more pass before an operation has its speed."""
    answers = [entry.process.ask(time=entry.operation, repeats=1) for _ in range(2)]
    while len(answers) < 6 and answers[-1].get("seconds", 1.0) < 0.1:
        answers.append(entry.process.ask(time=entry.operation, repeats=2))
    return answers


def build(processes: list[Process], case: FlowCase | StepCase | SamplerCase) -> tuple[list[Process], dict[str, dict[str, Any]]]:
    """Build a case in every process; return those that could, and every answer."""
    answers = {process.name: process.ask(build=to_message(case)) for process in processes}
    return [process for process in processes if "error" not in answers[process.name]], answers


def start(names: list[str], *, threads: int, own: str, log: Path | None = None) -> list[Process]:
    """Start the workers; peers run under ``PROBGEN_BENCH_PYTHON`` if it is set, else under this Python."""
    peers = os.environ.get("PROBGEN_BENCH_PYTHON", sys.executable)
    return [Process(name, threads=threads, python=peers if name.startswith("peer_") else own, log=log) for name in names]
