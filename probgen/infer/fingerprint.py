r"""What a recorded step depends on, besides the values of its tensors.

A recording of a Python program is valid only while everything that steered the program is unchanged: the structure of the
modules, their train/eval flags, plain attributes (``self.beta = 0.5``, also of the user's classes), what functions capture
(closures, defaults, and the plain globals that they name), which parameters want gradients, and the mode torch runs in. A
:class:`Fingerprint` is a hashable summary of the module's part, together with a list of *(container, key, value)* triples: as
long as every container still holds the identical object under its key, the summary cannot have changed, and checking that
takes tens of nanoseconds a triple.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Hashable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["Fingerprint", "Same", "input_key", "mode_key"]

_PLAIN = (bool, int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.layout, type(Ellipsis))
_OPAQUE = (type, types.BuiltinFunctionType, types.ModuleType)
_LIBRARIES = ("torch.", "pyro.", "probgen.", "builtins")
_IGNORED = frozenset({"_pyro_context", "_is_full_backward_hook", "_non_persistent_buffers_set", "_load_state_dict_pre_hooks"})
_MISSING = object()


class Same:
    """A hashable stand-in for one particular object: equal only to itself, and it keeps the object alive.

    Args:
        thing: The object.

    Example:
        >>> from probgen.infer.fingerprint import Same
        >>> thing = [1]
        >>> Same(thing) == Same(thing), Same(thing) == Same([1])
        (True, False)
    """

    __slots__ = ("thing",)

    def __init__(self, thing: object) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.thing is other.thing

    def __hash__(self) -> int:
        return id(self.thing)


class Fingerprint:
    """The state of a module tree that a recording depends on.

    Args:
        module: The root.

    Example:
        >>> import torch
        >>> from probgen.infer.fingerprint import Fingerprint
        >>> net = torch.nn.Dropout(0.5)
        >>> before = Fingerprint(net)
        >>> net.p = 0.1
        >>> before.is_current(), Fingerprint(net).key == before.key
        (False, False)
    """

    def __init__(self, module: nn.Module) -> None:
        self._held: list[tuple[Any, Any, Any]] = []
        self._sizes: list[tuple[Any, int]] = []
        self._seen: dict[int, int] = {}
        self.key: Hashable = self._encode(module)
        self.parameters: dict[str, Tensor] = dict(module.named_parameters())
        self.buffers: dict[str, Tensor] = dict(module.named_buffers())
        self._tensors = tuple(self.parameters.values())

    def is_current(self) -> bool:
        """Whether every attribute and container is still the one that was summarized."""
        for container, size in self._sizes:
            if len(container) != size:
                return False
        for container, key, value in self._held:
            try:
                if container[key] is not value:
                    return False
            except (KeyError, IndexError, ValueError):
                return False
        return True

    def gradient_flags(self) -> tuple[bool, ...]:
        """Which parameters want gradients now."""
        return tuple([parameter.requires_grad for parameter in self._tensors])

    # ---------------------------------------------------------------------------------------------------------------- encoding

    def _encode(self, value: Any) -> Hashable:
        if isinstance(value, _PLAIN):
            return (type(value).__name__, value if value == value else "nan")
        if isinstance(value, _OPAQUE):
            return Same(value)
        if id(value) in self._seen:
            return ("again", self._seen[id(value)])
        self._seen[id(value)] = len(self._seen)
        if isinstance(value, Tensor):
            return (Same(value), tuple(value.shape), value.dtype, value.device)
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return (Same(value.__func__), self._encode(value.__self__))
        if isinstance(value, functools.partial):
            return (functools.partial, self._encode(value.func), self._encode(value.args), self._encode(value.keywords))
        if isinstance(value, Mapping):
            return self._items(type(value), value, value)
        if isinstance(value, (list, tuple)):
            return self._items(type(value), value, dict(enumerate(value)))
        if isinstance(value, (set, frozenset)):
            self._sizes.append((value, len(value)))
            return (type(value), frozenset(self._encode(item) for item in value))
        attributes = getattr(value, "__dict__", None)
        if attributes is None:
            return Same(value)
        return (Same(value), self._items(type(value), attributes, attributes))

    def _module(self, module: nn.Module) -> Hashable:
        state = module.__dict__
        plain = {name: item for name, item in state.items() if name not in _IGNORED and not _is_empty(item)}
        self._sizes.append((state, len(state)))
        for name, item in state.items():
            if name not in plain and name not in _IGNORED and item is not None:
                self._sizes.append((item, 0))
        shared = tuple([self._class(kind) for kind in type(module).__mro__ if not kind.__module__.startswith(_LIBRARIES)])
        return (type(module), shared, tuple((name, self._entry(state, name, item)) for name, item in plain.items()))

    def _class(self, kind: type) -> Hashable:
        """Plain attributes of a user's class, and what its methods capture."""
        if id(kind) in self._seen:
            return Same(kind)
        self._seen[id(kind)] = len(self._seen)
        own = [(name, item) for name, item in vars(kind).items() if not name.startswith("__") or name == "__call__"]
        kept = [(name, item) for name, item in own if isinstance(item, (*_PLAIN, types.FunctionType))]
        return tuple((name, self._entry(vars(kind), name, item)) for name, item in kept)

    def _function(self, function: types.FunctionType) -> Hashable:
        """A function by identity, with its closure, its defaults and the plain globals that it names."""
        parts: list[Hashable] = [Same(function)]
        for cell in function.__closure__ or ():
            try:
                parts.append(self._entry(_Cell(cell), 0, cell.cell_contents))
            except ValueError:  # not yet filled
                continue
        parts.append(self._encode([*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]))
        names = function.__globals__
        plain = [name for name in function.__code__.co_names if name in names and isinstance(names[name], _PLAIN)]
        return (*parts, tuple((name, self._entry(names, name, names[name])) for name in plain))

    def _items(self, kind: type, container: Any, items: Mapping[Any, Any]) -> Hashable:
        if not isinstance(container, tuple):
            self._sizes.append((container, len(container)))
        return (kind, tuple((self._encode(key), self._entry(container, key, item)) for key, item in items.items()))

    def _entry(self, container: Any, key: Any, value: Any) -> Hashable:
        if not isinstance(container, tuple):
            self._held.append((container, key, value))
        return self._encode(value)


class _Cell:
    """The content of a closure's cell, as a container."""

    __slots__ = ("cell",)

    def __init__(self, cell: types.CellType) -> None:
        self.cell = cell

    def __getitem__(self, key: int) -> object:
        return self.cell.cell_contents


def _is_empty(item: Any) -> bool:
    return isinstance(item, (dict, list, set)) and not item


def input_key(leaves: list[Any]) -> Hashable:
    """Summarize call arguments: layout of tensors, value of everything else.

    Args:
        leaves: The leaves of the arguments' tree.

    Raises:
        TypeError: an argument that is neither a tensor nor hashable.

    Example:
        >>> import torch
        >>> from probgen.infer.fingerprint import input_key
        >>> input_key([torch.zeros(2), 1]) == input_key([torch.ones(2), 1])
        True
    """
    return tuple(
        [
            (leaf.shape, leaf.stride(), leaf.dtype, leaf.device, leaf.requires_grad)
            if isinstance(leaf, Tensor)
            else (type(leaf).__name__, leaf)
            for leaf in leaves
        ]
    )


def mode_key() -> Hashable:
    """Summarize how torch runs now: gradients, inference mode, autocast, default dtype.

    Example:
        >>> import torch
        >>> from probgen.infer.fingerprint import mode_key
        >>> before = mode_key()
        >>> with torch.no_grad():
        ...     mode_key() == before
        False
    """
    autocast = tuple((kind, torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind))
    return (torch.is_grad_enabled(), torch.is_inference_mode_enabled(), autocast, torch.get_default_dtype())
