"""Flows of other libraries without the libraries: trees of modules with their class names, attributes and tensors."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

HERE = Path(__file__).parent


def stand_ins(library: str) -> dict[str, tuple[nn.Module, Tensor]]:
    """The flows of the file, and the log-densities that their library gave at ``peers.points(8)``."""
    trees: dict[str, Any] = json.loads((HERE / f"{library}.json").read_text())
    with np.load(HERE / f"{library}.npz") as data:
        tensors = {name: torch.from_numpy(data[name]) for name in data.files}
    return {name: (_built(tree, tensors, f"{name}|"), tensors[f"{name}|log_prob"]) for name, tree in trees.items()}


def _built(tree: dict[str, Any], tensors: dict[str, Tensor], prefix: str) -> nn.Module:
    kind: str = tree["class"]
    held = {name: tensors[prefix + name] for name in tree["tensors"]}
    if kind == "UnconditionalDistribution":
        return _Base(held["loc"].double(), held["scale"].double())
    known: type[nn.Module] | None = getattr(nn, kind, None) if not held else None
    if known is not None and known.__module__.startswith("torch.nn.modules.activation"):
        return known()
    module: nn.Module = type(kind, (_Iterable,), {})()
    for name, value in tree["attributes"].items():
        setattr(module, name, _function(value) if isinstance(value, dict) else value)
    for name, tensor in held.items():
        if tensor.is_floating_point():
            module.register_parameter(name, nn.Parameter(tensor.double()))
        else:
            module.register_buffer(name, tensor if tensor.dtype == torch.bool else tensor.long())
    for name, child in tree["children"].items():
        module.add_module(name, _built(child, tensors, f"{prefix}{name}."))
    return module


class _Iterable(nn.Module):
    """A module that can stand for a list of modules."""

    def __iter__(self) -> Any:
        return iter(self._modules.values())


class _Base(nn.Module):
    """A diagonal normal law, as zuko's base returns it."""

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.law = type("DiagNormal", (SimpleNamespace,), {})(loc=loc, scale=scale)

    def forward(self) -> Any:
        return self.law


def _function(value: dict[str, Any]) -> Callable[..., Any]:
    """A function by its name: one of torch's, or one that is only called by that name."""
    name = value["function"]
    function = getattr(torch, name, None) or (lambda *args: None)
    if not hasattr(torch, name):
        function.__name__ = name
    return functools.partial(function, **value["keywords"]) if "keywords" in value else function
