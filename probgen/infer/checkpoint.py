"""Checkpoints: the weights of an objective and the state of its training, in one safe file.

A checkpoint is a tree (see :mod:`probgen.infer.storage`) with two parts: ``weights``, the objective's ``state_dict``, and
``training``, what is needed to continue. No pickle is read or written.
"""

from __future__ import annotations

import os
from typing import Any

from torch import nn

from probgen.infer.compile import Compiled
from probgen.infer.storage import UnsafeFileError, read_tree, write_tree

__all__ = ["load_weights", "read_checkpoint", "weights_of", "write_checkpoint"]


def weights_of(objective: nn.Module) -> nn.Module:
    """Return the module whose weights are kept: the objective itself, or what a compiled one shares.

    Args:
        objective: A loss as a module.

    Example:
        >>> import torch
        >>> from probgen.infer import compile
        >>> from probgen.infer.checkpoint import weights_of
        >>> net = torch.nn.Linear(1, 1)
        >>> weights_of(compile(net)) is weights_of(net) is net
        True
    """
    return objective.objective if isinstance(objective, Compiled) else objective


def write_checkpoint(path: str | os.PathLike[str], objective: nn.Module, training: dict[str, Any] | None = None) -> None:
    """Write the weights of ``objective``, and the training state if given, atomically.

    Args:
        path: Target file.
        objective: Whose weights.
        training: Nested plain data and tensors.

    Example:
        >>> import tempfile, torch
        >>> from probgen.infer.checkpoint import read_checkpoint, write_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_checkpoint(f"{folder}/a.safetensors", torch.nn.Linear(1, 1), {"step": 3})
        ...     read_checkpoint(f"{folder}/a.safetensors")[1]
        {'step': 3}
    """
    write_tree(path, {"weights": dict(weights_of(objective).state_dict()), "training": training})


def read_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the weights and the training state of a checkpoint.

    Args:
        path: The checkpoint.

    Raises:
        UnsafeFileError: the file is not one, for instance a pickle.

    Example:
        >>> import tempfile, torch
        >>> from probgen.infer.checkpoint import read_checkpoint, write_checkpoint
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_checkpoint(f"{folder}/a.safetensors", torch.nn.Linear(1, 1))
        ...     sorted(read_checkpoint(f"{folder}/a.safetensors")[0])
        ['bias', 'weight']
    """
    tree = read_tree(path)
    if not isinstance(tree, dict) or "weights" not in tree:
        raise UnsafeFileError(f"{os.fspath(path)!r} is not a checkpoint: it holds no weights.")
    return tree["weights"], tree.get("training")


def load_weights(objective: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load the weights of a checkpoint, such as ``best.safetensors``, into an objective.

    Args:
        objective: A module of the same structure.
        path: The checkpoint.

    Raises:
        UnsafeFileError: the file is not a checkpoint.
        RuntimeError: the names or shapes of the weights differ.

    Example:
        >>> import tempfile, torch
        >>> from probgen.infer import load_weights
        >>> from probgen.infer.checkpoint import write_checkpoint
        >>> a, b = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_checkpoint(f"{folder}/best.safetensors", a)
        ...     load_weights(b, f"{folder}/best.safetensors")
        >>> bool(a.weight == b.weight)
        True
    """
    weights_of(objective).load_state_dict(read_checkpoint(path)[0])
