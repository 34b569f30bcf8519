"""`import probgen` is light and changes nothing of torch's or Pyro's."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import probgen

ROOT = Path(__file__).resolve().parents[2]

SNAPSHOT = """
import json, random, sys, time, warnings
import torch, pyro, numpy
import pyro.distributions, pyro.infer, pyro.poutine, pyro.nn

def described(owner):
    return {name: id(value) for name, value in vars(owner).items() if name not in ("__doc__", "__annotations__")}

def snapshot():
    distributions, transforms = torch.distributions, torch.distributions.transforms
    owners = [torch, torch.nn.Module, distributions, transforms, distributions.constraints, distributions.Distribution, distributions.Transform,
              distributions.TransformedDistribution, pyro, pyro.distributions, pyro.poutine, pyro.poutine.runtime, pyro.nn.PyroModule,
              pyro.distributions.TorchDistribution, pyro.distributions.TransformedDistribution]
    owners += [v for v in vars(distributions).values() if isinstance(v, type)] + [v for v in vars(pyro.distributions).values() if isinstance(v, type)]
    return {
        "attributes": {f"{i} {getattr(o, '__name__', o)}": described(o) for i, o in enumerate(owners)},
        "validation": [distributions.Distribution._validate_args, pyro.infer.util.is_validation_enabled(), pyro.poutine.util.is_validation_enabled()],
        "settings": {k: str(v) for k, v in pyro.settings.get().items()},
        "defaults": [str(torch.get_default_dtype()), str(torch.get_default_device()), torch.get_num_threads(), torch.is_grad_enabled(),
                     torch.are_deterministic_algorithms_enabled(), torch.get_float32_matmul_precision(), torch.get_printoptions() if hasattr(torch, "get_printoptions") else 0],
        "random": [int(torch.get_rng_state().sum()), hash(random.getstate()), int(numpy.random.get_state()[1].sum())],
        "filters": [str(f) for f in warnings.filters],
        "store": list(pyro.get_param_store().keys()),
    }

owners_keepalive = [v for v in vars(torch).values()]
before = snapshot()
start = time.perf_counter()
import probgen
light = time.perf_counter() - start
import probgen.distributions, probgen.distributions.bijectors, probgen.nn, probgen.infer, probgen.flows, probgen.data
full = time.perf_counter() - start
after = snapshot()
changed = [k for k in before if k != "attributes" and before[k] != after[k]]
for owner, attributes in before["attributes"].items():
    for name in attributes.keys() & after["attributes"][owner].keys():
        if attributes[name] != after["attributes"][owner][name]:
            changed.append(f"{owner}.{name}")
    extra = after["attributes"][owner].keys() - attributes.keys()
    changed += [f"{owner}.{name} is new" for name in extra if not isinstance(getattr(sys.modules.get(owner.split(' ', 1)[1]), name, None), type(sys))]
heavy = [m for m in ("lightning_fabric", "scipy.stats", "torch._dynamo", "matplotlib", "hypothesis", "sklearn", "zuko") if m in sys.modules]
print(json.dumps({"light": light, "full": full, "changed": changed, "heavy": heavy}))
"""


@pytest.fixture(scope="module")
def report():
    done = subprocess.run([sys.executable, "-c", SNAPSHOT], cwd=ROOT, check=True, capture_output=True, text=True, timeout=120)
    return json.loads(done.stdout.splitlines()[-1])


def test_no_setting_and_no_class_of_torch_or_pyro_changes(report):
    assert report["changed"] == []


def test_heavy_packages_wait_until_they_are_used(report):
    assert report["heavy"] == []


def test_packages_are_attributes_and_a_wrong_name_is_an_error():
    assert probgen.infer.save is probgen.save
    assert probgen.infer.load is probgen.load
    with pytest.raises(AttributeError, match="no attribute 'gans'"):
        probgen.gans  # noqa: B018
