"""A process that holds one library and times what it is told to: JSON lines in, JSON lines out.

``{"build": {...}}`` makes the subject of a case; ``{"time": operation, "repeats": n}`` returns seconds a call (of the processor
with ``"processor": true``); ``{"memory": operation}`` the growth of the peak resident set in MiB (on a GPU: of the memory
allocated there).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import importlib.metadata
import json
import os
import sys
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

Operation = Callable[[], object]


def flow_operations(flow: Any, case: Any) -> dict[str, Operation]:
    """Operations of a flow. Inputs are copied for every call: some libraries remember the last tensor they saw."""
    import torch

    x = torch.randn(case.batch, case.dim, generator=torch.Generator().manual_seed(1)).to(case.device)
    parameters = list(flow.module.parameters())

    def train_with(log_prob: Callable[[Any], Any]) -> Operation:
        def train() -> None:
            for parameter in parameters:
                parameter.grad = None
            (-log_prob(x.clone()).mean()).backward()

        return train

    @torch.no_grad()
    def log_prob() -> object:
        return flow.log_prob(x.clone())

    @torch.no_grad()
    def sample() -> object:
        return flow.sample(case.batch)

    compiled = torch.compile(lambda value: flow.log_prob(value))
    return {"log_prob": log_prob, "train": train_with(flow.log_prob), "sample": sample, "compiled train": train_with(compiled)}


class Worker:
    """Builds and times; one subject at a time."""

    def __init__(self, name: str, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self.torch = torch
        self.module = importlib.import_module(f"tests.benchmarks.subjects.{name}")
        self.operations: dict[str, Operation] = {}
        self.device = "cpu"

    def versions(self) -> dict[str, object]:
        package = self.module.PACKAGE
        if package in ("torch", "probgen"):  # probgen may be run from a source tree
            version = importlib.import_module(package).__version__
        else:
            version = importlib.metadata.version(package)
        return {
            "package": package,
            "version": version,
            "torch": self.torch.__version__,
            "threads": self.torch.get_num_threads(),
        }

    def build(self, message: dict[str, Any]) -> dict[str, object]:
        from tests.benchmarks.cases import FlowCase, SamplerCase, StepCase

        self.torch.manual_seed(0)
        self.device = message["device"]
        if "kind" in message:
            case = FlowCase(**message)
            flow = self.module.build(case)
            self.operations = flow_operations(flow, case)
            return {"parameters": flow.parameters, **flow.extra}
        if "sampler" in message:
            self.operations = {"sample": self.torch.no_grad()(self.module.build_sampler(SamplerCase(**message)))}
            return {}
        case_step = StepCase(**message)
        self.operations = {"step": self.module.build_step(case_step, compiled=False)}
        self.lazy = lambda: self.module.build_step(case_step, compiled=True)
        return {}

    def operation(self, name: str) -> Operation:
        if name == "compiled step" and name not in self.operations:
            self.operations[name] = self.lazy()
        return self.operations[name]

    def synchronize(self) -> None:
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def time(self, name: str, repeats: int, *, processor: bool = False) -> dict[str, object]:
        clock = time.process_time if processor else time.perf_counter
        run = self.operation(name)
        if repeats > 1:
            run()  # wakes the threads and fills the caches after another process's turn
        self.synchronize()
        start = clock()
        for _ in range(repeats):
            run()
        self.synchronize()
        return {"seconds": (clock() - start) / repeats}

    def memory(self, name: str) -> dict[str, object]:
        run = self.operation(name)
        if self.device != "cpu":
            self.torch.cuda.reset_peak_memory_stats()
            before = self.torch.cuda.memory_allocated()
            run()
            self.synchronize()
            return {"mib": (self.torch.cuda.max_memory_allocated() - before) / 2**20}
        with contextlib.suppress(OSError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # give freed memory back, so that what is measured is what the step needs
        with open("/proc/self/clear_refs", "w") as handle:
            handle.write("5")  # reset the high-water mark of the resident set
        before_kib = _status("VmRSS")
        run()
        return {"mib": (_status("VmHWM") - before_kib) / 1024}


def _status(field: str) -> int:
    with open("/proc/self/status") as handle:
        return next(int(line.split()[1]) for line in handle if line.startswith(field))


def serve(name: str, threads: int) -> None:
    """Answer requests until the input ends. What libraries print goes to the error stream."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    worker = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            worker = worker or Worker(name, threads)
            if "build" in request:
                reply = worker.build(request["build"])
            elif "time" in request:
                reply = worker.time(request["time"], request["repeats"], processor=request.get("processor", False))
            elif "memory" in request:
                reply = worker.memory(request["memory"])
            else:
                reply = worker.versions()
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]}
            print(traceback.format_exc(), file=sys.stderr)
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
