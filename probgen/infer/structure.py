r"""A model's configuration as plain data: what it is made of, without its code.

A model is a graph of objects: modules hold modules, bijectors, constraints, numbers and tensors. :func:`describe` writes the
graph down as a tree of plain data (class names, attributes, tensors; each object once, so sharing survives), :func:`build`
makes it again. Building creates objects of *allowed* classes only and sets their attributes; no constructor, no
``__reduce__`` and no function named in a file is ever called. Allowed are modules, distributions, transforms and constraints
of torch, Pyro and probgen, what ``probgen.distributions`` makes them of (such as time grids), and the classes that the caller
names.
"""

from __future__ import annotations

import dataclasses
import importlib
import types
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

import pyro.distributions as pyro_dist
import torch
from pyro.nn import PyroModule
from pyro.nn.module import _Context
from torch import Tensor, nn
from torch.distributions import Distribution, Transform
from torch.distributions.constraints import Constraint

from probgen.infer.parametrized import is_parametrized_class, parametrized_again
from probgen.infer.storage import UnsafeFileError

__all__ = ["build", "describe"]

_PACKAGES = ("probgen.", "torch.nn.", "torch.distributions.", "pyro.distributions.", "pyro.nn.")
_BASES = (nn.Module, Distribution, Transform, Constraint, _Context)
_CONTAINERS: dict[str, type[Any]] = {"list": list, "tuple": tuple, "size": torch.Size, "set": set, "frozenset": frozenset}
_MAPPINGS: dict[str, type[Any]] = {"dict": dict, "ordered": OrderedDict}
_TORCH_FUNCTIONS = ("abs", "cos", "exp", "log", "relu", "selu", "sigmoid", "sin", "sqrt", "square", "tanh")
_PARAMETRIZED = "parametrized["
_FUNCTION_MODULES = ("torch.nn.functional.", "probgen.distributions.", "probgen.nn.", "probgen.flows.")


def describe(value: Any, classes: Iterable[type] = ()) -> Any:
    """Return a tree of plain data and tensors from which :func:`build` makes ``value`` again.

    Args:
        value: A module, distribution or transform.
        classes: Further classes (and functions) that may occur.

    Raises:
        TypeError: something in it is not allowed; the message names its place.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.infer.structure import describe
        >>> describe(Exp())["class"]
        'probgen.distributions.bijectors.exponential.Exp'
    """
    return _Writer(classes).write(value, type(value).__name__)


def build(tree: Any, classes: Iterable[type] = ()) -> Any:
    """Make what :func:`describe` described.

    Args:
        tree: The description.
        classes: Further classes (and functions) that may occur.

    Raises:
        UnsafeFileError: the description asks for a class or function that is not allowed.

    Example:
        >>> from probgen.distributions.bijectors import Exp
        >>> from probgen.infer.structure import build, describe
        >>> build(describe(Exp()))
        Exp()
    """
    return _Reader(classes).read(tree)


class _Writer:
    """Objects to plain data; each object once."""

    def __init__(self, classes: Iterable[type]) -> None:
        self.names = _Names(classes)
        self.seen: dict[int, int] = {}
        self.alive: list[Any] = []

    def write(self, value: Any, place: str) -> Any:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, (torch.dtype, torch.device)):
            return {"kind": type(value).__name__, "name": str(value).removeprefix("torch.")}
        if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)):
            return {"kind": "name", "path": self.names.path(value, place)}
        singleton = _constraint_name(value)
        if singleton is not None:
            return {"kind": "constraint", "name": singleton}
        if id(value) in self.seen:
            return {"kind": "again", "id": self.seen[id(value)]}
        self.seen[id(value)] = len(self.alive)
        self.alive.append(value)
        return {"id": self.seen[id(value)], **self._compound(value, place)}

    def _compound(self, value: Any, place: str) -> dict[str, Any]:
        if isinstance(value, Tensor):
            kind = "parameter" if isinstance(value, nn.Parameter) else "tensor"
            return {"kind": kind, "data": value.detach(), "gradient": value.requires_grad and kind == "parameter"}
        for kind, container in _CONTAINERS.items():
            if type(value) is container:
                return {"kind": kind, "items": [self.write(item, f"{place}[{k}]") for k, item in enumerate(list(value))]}
        for kind, container in _MAPPINGS.items():
            if type(value) is container:
                pairs = dict(value).items()
                items = [[self.write(k, place), self.write(item, f"{place}[{k!r}]")] for k, item in pairs]
                return {"kind": kind, "items": items}
        path = self.names.path(type(value), place)
        state = {name: self.write(item, f"{place}.{name}") for name, item in _attributes(value, place).items()}
        return {"kind": "object", "class": path, "state": state}


class _Reader:
    """Plain data to objects."""

    def __init__(self, classes: Iterable[type]) -> None:
        self.names = _Names(classes)
        self.made: dict[int, Any] = {}

    def read(self, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        kind = tree["kind"]
        if kind == "again":
            return self.made[tree["id"]]
        if kind in ("dtype", "device"):
            found = getattr(torch, tree["name"], None) if kind == "dtype" else torch.device(tree["name"])
            return found if isinstance(found, (torch.dtype, torch.device)) else _refuse(f"the {kind} {tree['name']!r}")
        if kind == "constraint":
            return _constraint(tree["name"])
        if kind == "name":
            return self.names.find(tree["path"])
        if kind == "object":
            return self._object(tree)
        made = self._plain(kind, tree)
        self.made[tree["id"]] = made
        return made

    def _plain(self, kind: str, tree: dict[str, Any]) -> Any:
        if kind == "tensor":
            return tree["data"]
        if kind == "parameter":
            return nn.Parameter(tree["data"], requires_grad=tree["gradient"])
        if kind in _MAPPINGS:
            return _MAPPINGS[kind]([(self.read(key), self.read(item)) for key, item in tree["items"]])
        if kind in _CONTAINERS:
            return _CONTAINERS[kind]([self.read(item) for item in tree["items"]])
        return _refuse(f"an entry of kind {kind!r}")

    def _object(self, tree: dict[str, Any]) -> Any:
        kind = self.names.find(tree["class"])
        if not isinstance(kind, type):
            return _refuse(f"an object of {tree['class']!r}, which is not a class")
        made: Any = object.__new__(kind)
        self.made[tree["id"]] = made
        if isinstance(made, nn.Module):
            nn.Module.__init__(made)
        hooks = [name for name in tree["state"] if name.endswith("_hooks")]
        if hooks and isinstance(made, nn.Module):
            return _refuse(f"functions that run by themselves ({', '.join(hooks)})")
        made.__dict__.update({name: self.read(item) for name, item in tree["state"].items()})
        if tree["class"].startswith(_PARAMETRIZED):
            parametrized_again(made)
        return made


class _Names:
    """Which classes and functions may occur, and their names."""

    def __init__(self, classes: Iterable[type]) -> None:
        self.extra = {_full_name(item): item for item in classes}

    def path(self, item: Any, place: str) -> str:
        """The name of an allowed class or function."""
        path = _full_name(item)
        if path in self.extra or _allowed(item, path):
            return path
        raise TypeError(
            f"cannot save `{place}`: {path} is not a class or function of torch, Pyro or probgen that may be saved; "
            "pass it in `classes=` (a class or function at module level) or leave it out of the model."
        )

    def find(self, path: str) -> Any:
        """The class or function of a name, if allowed."""
        if path in self.extra:
            return self.extra[path]
        if path.startswith(_PARAMETRIZED) and path.endswith("]"):
            return self.find(path[len(_PARAMETRIZED) : -1])
        if path.startswith("PyroModule[") and path.endswith("]"):
            return PyroModule[self.find(path[len("PyroModule[") : -1])]
        module, _, name = path.rpartition(".")
        if not any(f"{module}.".startswith(package) for package in _PACKAGES) and module != "torch":
            return _refuse(f"{path!r}", "; if you trust it, pass the class in `classes=`")
        found: Any = getattr(importlib.import_module(module), name, None)
        return found if found is not None and _allowed(found, path) else _refuse(f"{path!r}")


def _full_name(item: Any) -> str:
    if _is_mixin(item):
        return f"PyroModule[{_full_name(item.__mro__[1])}]"
    if is_parametrized_class(item):
        return f"{_PARAMETRIZED}{_full_name(item.__mro__[1])}]"
    name = getattr(item, "__name__", "")
    if isinstance(item, types.BuiltinFunctionType) and getattr(torch, name, None) is item:
        return f"torch.{name}"
    return f"{item.__module__}.{item.__qualname__}"


def _is_mixin(item: Any) -> bool:
    """Whether a class is what ``PyroModule[Class]`` makes."""
    return isinstance(item, type) and item.__module__ == "pyro.nn.module" and "<locals>" in item.__qualname__


def _allowed(item: Any, path: str) -> bool:
    if _is_mixin(item) or is_parametrized_class(item):
        return _allowed(item.__mro__[1], _full_name(item.__mro__[1]))
    if isinstance(item, type):
        known = path.startswith(_PACKAGES)
        plain = path.startswith("probgen.distributions.") or (path.startswith("probgen.") and dataclasses.is_dataclass(item))
        return known and (plain or issubclass(item, _BASES))
    if path.startswith("torch.") and path.count(".") == 1:
        return path.removeprefix("torch.") in _TORCH_FUNCTIONS
    return isinstance(item, types.FunctionType) and path.startswith(_FUNCTION_MODULES) and "<" not in path


def _attributes(value: Any, place: str) -> dict[str, Any]:
    """The attributes to keep: for modules, those that a bare module doesn't have anyway."""
    state = value.__getstate__() if not isinstance(value, nn.Module) else dict(value.__dict__)
    if not isinstance(state, dict):
        raise TypeError(f"cannot save `{place}`: {type(value).__name__} has no plain attributes.")
    if not isinstance(value, nn.Module):
        return state
    bare = nn.Module().__dict__
    kept = {name: item for name, item in state.items() if name not in bare or item != bare[name]}
    hooks = [name for name in kept if name.endswith("_hooks") and name in bare]
    if hooks:
        raise TypeError(f"cannot save `{place}`: it has hooks ({', '.join(hooks)}); remove them first.")
    return kept


def _constraint_name(value: Any) -> str | None:
    """The name of a constraint that is one fixed object of torch or Pyro, such as ``positive``."""
    if not isinstance(value, Constraint):
        return None
    for name in pyro_dist.constraints.__all__:
        if getattr(pyro_dist.constraints, name, None) is value:
            return str(name)
    return None


def _constraint(name: str) -> Any:
    found = getattr(pyro_dist.constraints, name, None) if name in pyro_dist.constraints.__all__ else None
    return found if isinstance(found, Constraint) else _refuse(f"the constraint {name!r}")


def _refuse(what: str, advice: str = "") -> Any:
    raise UnsafeFileError(f"the file asks for {what}, which is not allowed{advice}.")
