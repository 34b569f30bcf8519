"""The measurements: flows against peers, compiled flows, incremental sampling, memory, optimization steps."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.benchmarks.cases import OPERATIONS, FlowCase, flow_cases, sampler_cases, slow_for_peers, step_cases
from tests.benchmarks.driver import Cell, Entry, Process, build, measure, start

OWN = "probgen"
PEERS = {"peer_zuko": "zuko", "peer_nflows": "nflows", "peer_normflows": "normflows", "peer_pyro": "pyro"}
SAMPLER_PEERS = {"peer_diffusers": "diffusers", "peer_azula": "azula"}


@dataclass(frozen=True)
class Plan:
    """How much to measure.

    Attributes:
        quick: Tiny sizes, to test the harness.
        device: "cpu" or "cuda".
        threads: Threads in every process.
        rounds: Rounds of each cell at most.
        budget: Seconds for each cell.
        dims: Dimensions of the flows that are compared with peers.
    """

    quick: bool = False
    device: str = "cpu"
    threads: int = 2
    rounds: int = 21
    budget: float = 20.0
    dims: tuple[int, ...] = (16, 64, 256)


@dataclass
class Results:
    """All cells, in the order in which they were measured."""

    flows: list[Cell] = field(default_factory=list)
    compiled: list[Cell] = field(default_factory=list)
    incremental: list[Cell] = field(default_factory=list)
    steps: list[Cell] = field(default_factory=list)
    samplers: list[Cell] = field(default_factory=list)
    memory: dict[str, dict[str, float]] = field(default_factory=dict)
    parameters: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


def run(plan: Plan, parts: frozenset[str], on_cell: Callable[[Results], None]) -> Results:
    """Measure the wanted parts, named as the fields of the results; ``on_cell`` is called after each cell."""
    results = Results()
    if parts & {"flows", "compiled", "incremental"}:
        processes = start(["own", *PEERS], threads=plan.threads, own=sys.executable)
        try:
            processes = _present(processes, results)
            if "flows" in parts:
                _flows(plan, processes, results, on_cell)
            if "incremental" in parts:
                _incremental(plan, processes[0], results, on_cell)
            if "compiled" in parts:
                _compiled(plan, processes, results, on_cell)
        finally:
            for process in processes:
                process.close()
    if "steps" in parts:
        _steps(plan, results, on_cell)
    if "samplers" in parts:
        _samplers(plan, results, on_cell)
    return results


def name_of(process: Process) -> str:
    """The library's name."""
    return {**PEERS, **SAMPLER_PEERS}.get(process.name, OWN)


def _present(processes: list[Process], results: Results) -> list[Process]:
    """Those whose library can be imported, with their versions."""
    present = []
    for process in processes:
        reply = process.ask(versions=True)
        if "error" in reply:
            print(f"{name_of(process)}: left out ({reply['error']})", flush=True)
            process.close()
        else:
            results.versions[name_of(process)] = str(reply["version"])
            results.versions["torch"] = str(reply["torch"])
            present.append(process)
    if not present or name_of(present[0]) != OWN:
        raise SystemExit("probgen itself cannot be imported in the worker: see the message above")
    return present


def _flows(plan: Plan, processes: list[Process], results: Results, on_cell: Callable[[Results], None]) -> None:
    for case in flow_cases(plan.dims, quick=plan.quick, device=plan.device):
        built, answers = build(processes, case)
        results.parameters[case.label] = {name_of(process): answers[process.name]["parameters"] for process in built}
        for operation in OPERATIONS:
            chosen = built[:1] if slow_for_peers(case, operation) else built
            entries = [Entry(name_of(process), process, operation) for process in chosen]
            results.flows.append(measure(entries, case.label, operation, rounds=plan.rounds, budget=plan.budget))
            on_cell(results)
        if plan.device != "cpu" or sys.platform == "linux":
            replies = {name_of(process): process.ask(memory="train") for process in built}
            results.memory[case.label] = {name: reply["mib"] for name, reply in replies.items() if "mib" in reply}


def _incremental(plan: Plan, process: Process, results: Results, on_cell: Callable[[Results], None]) -> None:
    """Sampling against one density evaluation, of the same flow, at the sizes where a naive inverse takes D passes."""
    dim, batches = (16, (1, 64)) if plan.quick else (256, (1, 1024, 4096))
    for batch in batches:
        case = FlowCase("affine autoregressive", dim, batch, plan.device)
        build([process], case)
        entries = [Entry("log_prob", process, "log_prob"), Entry("sample", process, "sample")]
        results.incremental.append(measure(entries, case.label, "sample", rounds=plan.rounds, budget=plan.budget))
        on_cell(results)


def _compiled(plan: Plan, processes: list[Process], results: Results, on_cell: Callable[[Results], None]) -> None:
    """Forward and backward of a spline coupling flow, eager and compiled, all in the same rounds."""
    case = FlowCase("spline coupling", 16, 64 if plan.quick else 1024, plan.device)
    built, _ = build(processes, case)
    entries = [Entry(name_of(process), process, "train") for process in built]
    entries += [Entry(f"{name_of(process)} compiled", process, "compiled train") for process in built]
    results.compiled.append(measure(entries, case.label, "train", rounds=plan.rounds, budget=2 * plan.budget))
    on_cell(results)


def _steps(plan: Plan, results: Results, on_cell: Callable[[Results], None]) -> None:
    processes = start(["step_torch", "step_own", "step_pyro"], threads=plan.threads, own=sys.executable)
    by_hand, own, pyro = processes
    for process in processes:
        reply = process.ask(versions=True)
        results.versions.setdefault(str(reply.get("package", process.name)), str(reply.get("version", "missing")))
    try:
        for case in step_cases(quick=plan.quick, device=plan.device):
            build(processes, case)
            entries = [
                Entry("torch", by_hand, "step"),
                Entry(OWN, own, "step"),
                Entry("Pyro SVI", pyro, "step"),
                Entry("torch compiled", by_hand, "compiled step"),
                Entry(f"{OWN} compiled", own, "compiled step"),
            ]
            results.steps.append(measure(entries, case.label, "step", rounds=2 * plan.rounds - 1, budget=2 * plan.budget))
            on_cell(results)
    finally:
        for process in processes:
            process.close()


def _samplers(plan: Plan, results: Results, on_cell: Callable[[Results], None]) -> None:
    """Runs of samplers against a loop by hand and against peers, each on one thread: most of a step is overhead."""
    processes = start(["sampler_own", "sampler_torch", *SAMPLER_PEERS], threads=1, own=sys.executable)
    names = {"sampler_own": OWN, "sampler_torch": "torch by hand", **SAMPLER_PEERS}
    try:
        for process in processes:
            reply = process.ask(versions=True)
            if "error" in reply:
                print(f"{names[process.name]}: left out ({reply['error']})", flush=True)
            else:
                results.versions.setdefault(str(reply["package"]), str(reply["version"]))
        for case in sampler_cases(quick=plan.quick, device=plan.device):
            built, _ = build(processes, case)
            entries = [Entry(names[process.name], process, "sample") for process in built]
            results.samplers.append(measure(entries, case.label, "sample", rounds=plan.rounds, budget=plan.budget))
            on_cell(results)
    finally:
        for process in processes:
            process.close()
