r"""One file format for everything that is kept: safetensors for tensors, JSON in its header for the rest.

A *tree* is any nesting of dicts, lists and tuples whose leaves are tensors, NumPy arrays, numbers, strings, booleans or
None. Its tensors become entries of a safetensors file and its shape becomes JSON, so reading a file can never run code:
nothing is unpickled. Files are written beside their target, flushed to disk, and moved over it in one step, so a reader (or
a process killed at any moment) sees the old file or the new one, never half of one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["UnsafeFileError", "read_tree", "write_tree"]

_HEADER = "probgen"


class UnsafeFileError(ValueError):
    """A file is not in probgen's safe format, or asks for a class that is not allowed; it was not loaded."""


def write_tree(path: str | os.PathLike[str], tree: Any) -> None:
    """Write a tree to ``path``, atomically.

    Args:
        path: Target file; its folder is created.
        tree: Nested dicts, lists and tuples of tensors, arrays and plain values.

    Raises:
        TypeError: a leaf of another type; the message names its place in the tree.

    Example:
        >>> import os, tempfile, torch
        >>> from probgen.infer.storage import write_tree
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_tree(f"{folder}/a.safetensors", {"weights": torch.ones(2)})
        ...     os.listdir(folder)
        ['a.safetensors']
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {}
    shape = json.dumps(_encode(tree, tensors, "tree"))
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.partial")
    with open(scratch, "wb") as file:
        file.write(save(tensors, {_HEADER: shape}))
        file.flush()
        os.fsync(file.fileno())
    os.replace(scratch, path)


def read_tree(path: str | os.PathLike[str]) -> Any:
    """Read what :func:`write_tree` wrote; tensors come back on the CPU.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: there is no such file.
        UnsafeFileError: the file is something else, for instance a pickle.

    Example:
        >>> import tempfile, torch
        >>> from probgen.infer.storage import read_tree, write_tree
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_tree(f"{folder}/a.safetensors", {"step": 3, "weights": [torch.ones(2), (1.5, None)]})
        ...     read_tree(f"{folder}/a.safetensors")
        {'step': 3, 'weights': [tensor([1., 1.]), (1.5, None)]}
    """
    from safetensors import SafetensorError, safe_open

    with open(path, "rb") as file:
        start = file.read(2)
    if start in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
        raise UnsafeFileError(
            f"{os.fspath(path)!r} is a pickle (torch.save writes those). Loading a pickle can run any code, so it is refused; "
            "probgen reads only safetensors files that it wrote itself."
        )
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            header = (file.metadata() or {}).get(_HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise UnsafeFileError(f"{os.fspath(path)!r} is not a safetensors file: {error}.") from error
    if header is None:
        raise UnsafeFileError(f"{os.fspath(path)!r} is a safetensors file that probgen did not write: it has no description.")
    try:
        return _decode(json.loads(header), tensors)
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UnsafeFileError(f"{os.fspath(path)!r} is damaged: its description is not valid ({error!r}).") from error


def _encode(value: Any, tensors: dict[str, Tensor], place: str) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        name = f"{len(tensors)}:{place}"
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {"__tensor__": name}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        wide = value.astype(np.int64) if value.dtype.kind in "iu" else value
        return {"__array__": [_encode(torch.from_numpy(np.ascontiguousarray(wide)), tensors, place), value.dtype.str]}
    if isinstance(value, list):
        return [_encode(item, tensors, f"{place}.{k}") for k, item in enumerate(value)]
    if isinstance(value, tuple):
        return {"__tuple__": _encode(list(value), tensors, place)}
    if isinstance(value, dict):
        if all(isinstance(key, str) and not key.startswith("__") for key in value):
            return {key: _encode(item, tensors, f"{place}.{key}") for key, item in value.items()}
        pairs = [[_encode(key, tensors, place), _encode(item, tensors, f"{place}.{key}")] for key, item in value.items()]
        return {"__items__": pairs}
    raise TypeError(f"cannot write `{place}`: {type(value).__name__} is neither a tensor nor plain data.")


def _decode(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, list):
        return [_decode(item, tensors) for item in value]
    if not isinstance(value, dict):
        return value
    if "__tensor__" in value:
        return tensors[value["__tensor__"]]
    if "__array__" in value:
        data, dtype = value["__array__"]
        return _decode(data, tensors).numpy().astype(np.dtype(dtype))
    if "__tuple__" in value:
        return tuple(_decode(value["__tuple__"], tensors))
    if "__items__" in value:
        return {_decode(key, tensors): _decode(item, tensors) for key, item in value["__items__"]}
    return {key: _decode(item, tensors) for key, item in value.items()}
