"""What importing probgen changes in torch and Pyro; run as a fresh process by test_import.py, prints one JSON object."""

import json
import random
import sys
import warnings

import numpy
import pyro
import pyro.distributions
import pyro.infer
import pyro.nn
import pyro.poutine
import torch

HEAVY = ("lightning_fabric", "scipy.stats", "torch._dynamo", "matplotlib", "hypothesis", "sklearn", "zuko")


def owners():
    """Modules and classes of torch and Pyro whose attributes must stay what they are."""
    modules = [torch, torch.distributions, torch.distributions.constraints, torch.distributions.transforms]
    modules += [pyro, pyro.distributions, pyro.poutine, pyro.poutine.runtime, pyro.nn]
    classes = [torch.nn.Module, pyro.nn.PyroModule]
    for module in (torch.distributions, torch.distributions.transforms, pyro.distributions):
        classes += [value for value in vars(module).values() if isinstance(value, type)]
    return modules + classes


def attributes(owner):
    return {name: id(value) for name, value in vars(owner).items() if name not in ("__doc__", "__annotations__")}


def settings():
    """Every switch that a library might flip."""
    return {
        "validation": [
            torch.distributions.Distribution._validate_args,
            pyro.infer.util.is_validation_enabled(),
            pyro.poutine.util.is_validation_enabled(),
        ],
        "pyro": {name: str(value) for name, value in pyro.settings.get().items()},
        "torch": [
            str(torch.get_default_dtype()),
            str(torch.get_default_device()),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            torch.get_float32_matmul_precision(),
        ],
        "random": [
            int(torch.get_rng_state().sum()),
            hash(random.getstate()),
            int(numpy.random.get_state()[1].sum()),  # noqa: NPY002
        ],
        "warnings": [str(entry) for entry in warnings.filters],
        "store": list(pyro.get_param_store().keys()),
    }


def report():
    """Import everything and list what changed."""
    watched = owners()
    before, switches = [attributes(owner) for owner in watched], settings()
    import probgen
    import probgen.data
    import probgen.diffusion
    import probgen.distributions.bijectors
    import probgen.distributions.chains
    import probgen.flows
    import probgen.infer
    import probgen.nn

    now = settings()
    changed = [name for name in switches if switches[name] != now[name]]
    for owner, old in zip(watched, before, strict=True):
        new = attributes(owner)
        names = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
        changed += [f"{owner}.{name}" for name in names if type(vars(owner).get(name)).__name__ != "module"]
    return {"version": probgen.__version__, "changed": changed, "heavy": [name for name in HEAVY if name in sys.modules]}


if __name__ == "__main__":
    print(json.dumps(report()))
