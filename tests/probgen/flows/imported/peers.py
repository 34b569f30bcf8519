"""Flows of zuko and nflows: compared with what is imported of them, and written down for tests that do without.

Run as a program, in a process of its own, since zuko turns off argument validation:

    python -m tests.probgen.flows.imported.peers compare zuko      # the largest difference of log-densities
    python -m tests.probgen.flows.imported.peers write FOLDER      # the files that the tests read
"""

from __future__ import annotations

import functools
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FEATURES, CONTEXT = 4, 2
PLAIN = (bool, int, float, str, type(None))


def points(count: int = 32) -> tuple[Tensor, Tensor]:
    """Points and contexts, in float64."""
    generator = torch.Generator().manual_seed(5)
    x = 2 * torch.randn(count, FEATURES, generator=generator, dtype=torch.float64)
    return x, torch.randn(count, CONTEXT, generator=generator, dtype=torch.float64)


def zuko_flows() -> dict[str, Callable[[int], nn.Module]]:
    """One of each kind, by the length of the context."""
    import zuko

    spline = {"univariate": zuko.transforms.MonotonicRQSTransform, "shapes": [(5,), (5,), (4,)]}
    small: dict[str, Any] = {"hidden_features": (8, 8)}
    return {
        "MAF": lambda n: zuko.flows.MAF(FEATURES, n, **small),
        "MAF, residual": lambda n: zuko.flows.MAF(FEATURES, n, residual=True, randperm=True, **small),
        "NSF": lambda n: zuko.flows.NSF(FEATURES, n, bins=5, **small),
        "NSF, passes=2": lambda n: zuko.flows.NSF(FEATURES, n, bins=5, passes=2, **small),
        "NICE": lambda n: zuko.flows.NICE(FEATURES, n, univariate=zuko.transforms.AdditiveTransform, shapes=[()], **small),
        "RealNVP": lambda n: zuko.flows.RealNVP(FEATURES, n, randmask=True, **small),
        "spline coupling": lambda n: zuko.flows.NICE(FEATURES, n, **spline, **small),
    }


def nflows_flows() -> dict[str, Callable[[int], nn.Module]]:
    """One of each kind, by the length of the context."""
    from nflows import distributions, flows, transforms
    from nflows.nn import nets

    spline: dict[str, Any] = {"num_bins": 5, "tails": "linear", "tail_bound": 3.0}
    masked_spline = transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform

    def network(context: int) -> Callable[[int, int], nn.Module]:
        return lambda n, m: nets.ResidualNet(n, m, hidden_features=8, context_features=context or None, activation=torch.tanh)

    def mask(index: int) -> list[int]:
        return [(index + k) % 2 for k in range(FEATURES)]

    makes: dict[str, Callable[[int, int], nn.Module]] = {
        "spline coupling": lambda k, n: transforms.PiecewiseRationalQuadraticCouplingTransform(mask(k), network(n), **spline),
        "affine coupling": lambda k, n: transforms.AffineCouplingTransform(mask(k), network(n)),
        "additive coupling": lambda k, n: transforms.AdditiveCouplingTransform(mask(k), network(n)),
        "autoregressive spline": lambda k, n: masked_spline(FEATURES, 8, n or None, **spline),
        "random masks": lambda k, n: masked_spline(
            FEATURES, 8, n or None, use_residual_blocks=False, random_mask=True, **spline
        ),
        "MAF": lambda k, n: transforms.MaskedAffineAutoregressiveTransform(FEATURES, 8, n or None),
    }

    def flow(make: Callable[[int, int], nn.Module], context: int) -> nn.Module:
        layers: list[nn.Module] = []
        for index in range(2):
            mixing = transforms.LULinear(FEATURES, identity_init=False)
            layers += [transforms.RandomPermutation(FEATURES), mixing, make(index, context)]
        layers.append(transforms.InverseTransform(transforms.ReversePermutation(FEATURES)))
        return flows.Flow(transforms.CompositeTransform(layers), distributions.StandardNormal([FEATURES]))

    return {name: functools.partial(flow, make) for name, make in makes.items()}


LIBRARIES = {"zuko": zuko_flows, "nflows": nflows_flows}


def trained(make: Callable[[int], nn.Module], context: int) -> nn.Module:
    """A flow away from its start, in float64."""
    torch.manual_seed(0)
    flow = make(context)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
    return flow.double().eval()  # the parameters were float32: small files hold them exactly


def log_prob(library: str, flow: Any, x: Tensor, context: Tensor | None) -> Tensor:
    """What the library says."""
    if library == "zuko":
        return flow(context).log_prob(x)
    return flow.log_prob(x, context=context)


def compare(library: str) -> dict[str, float]:
    """The largest difference of log-densities, for every kind, relative to 1 + |log p|, in float64."""
    from probgen.flows import from_nflows, from_zuko

    convert = {"zuko": from_zuko, "nflows": from_nflows}[library]
    x, context = points()
    found = {}
    for name, make in LIBRARIES[library]().items():
        for length in (0, CONTEXT):
            flow = trained(make, length)
            own = context if length else None
            law = convert(flow)
            expected = log_prob(library, flow, x, own)
            got = (law if own is None else law.condition(own)).log_prob(x)
            found[f"{name}, context {length}"] = float(((got - expected).abs() / (1 + expected.abs())).max())
    return found


def describe(module: nn.Module, tensors: dict[str, np.ndarray], prefix: str = "") -> dict[str, Any]:
    """A module as plain data: classes, simple attributes, names of tensors, children."""
    own = {name: value for name, value in vars(module).items() if isinstance(value, PLAIN) and name != "training"}
    for name, value in vars(module).items():
        if isinstance(value, torch.Size | tuple | list) and all(isinstance(item, PLAIN) for item in value):
            own[name] = list(value)
        elif name == "shapes":
            own[name] = [list(shape) for shape in value]
        elif callable(value) and hasattr(value, "__name__") and name in ("activation", "univariate"):
            own[name] = {"function": value.__name__}
        elif isinstance(value, functools.partial):
            own[name] = {"function": value.func.__name__, "keywords": value.keywords}
    names = []
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            names.append(name)
            numbers = tensor.detach().numpy()
            small = np.float32 if tensor.is_floating_point() else np.int16 if numbers.dtype == np.int64 else numbers.dtype
            tensors[prefix + name] = numbers.astype(small)
    if type(module).__name__ == "UnconditionalDistribution":
        law: Any = module()
        law = getattr(law, "base_dist", law)
        tensors[prefix + "loc"], tensors[prefix + "scale"] = law.loc.numpy(), law.scale.numpy()
        return {"class": "UnconditionalDistribution", "attributes": {}, "tensors": ["loc", "scale"], "children": {}}
    children = {name: describe(child, tensors, f"{prefix}{name}.") for name, child in module._modules.items() if child}
    kind = type(module).__name__
    return {"class": kind, "attributes": own, "tensors": names, "children": children}


def write(folder: Path) -> None:
    """Every kind with a context: description, tensors, expected log-densities."""
    x, context = points(8)
    for library, kinds in LIBRARIES.items():
        tensors: dict[str, np.ndarray] = {}
        trees = {}
        for name, make in kinds().items():
            flow = trained(make, CONTEXT)
            trees[name] = describe(flow, tensors, f"{name}|")
            tensors[f"{name}|log_prob"] = log_prob(library, flow, x, context).detach().numpy()
        np.savez_compressed(folder / f"{library}.npz", **tensors)  # type: ignore[arg-type]
        (folder / f"{library}.json").write_text(json.dumps(trees))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1] == "compare":
        print(json.dumps(compare(sys.argv[2])))
    else:
        write(Path(sys.argv[2]))
