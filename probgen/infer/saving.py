"""Whole models in one file: configuration and weights.

``save(model, path)`` writes what the model is made of (see :mod:`probgen.infer.structure`) and its tensors into one
safetensors file; ``load(path)`` gives the model back, in the same state, without running code from the file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from probgen import __version__
from probgen.infer.storage import UnsafeFileError, read_tree, write_tree
from probgen.infer.structure import build, describe

__all__ = ["load", "save"]

_FORMAT = 1


def save(model: Any, path: str | os.PathLike[str], *, classes: Iterable[Any] = ()) -> None:
    """Write a whole model: configuration and weights, in one file, atomically.

    Args:
        model: A module, bijector or distribution made of classes of torch, Pyro and probgen.
        path: The file, by custom ``*.safetensors``.
        classes: Your own classes (and module-level functions) that occur in the model.

    Raises:
        TypeError: the model holds something that cannot be saved; the message names its place.

    Example:
        >>> import tempfile, torch
        >>> from probgen.infer import load, save
        >>> from probgen.distributions.bijectors import Affine, Exp
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(Affine(1.0, 2.0) >> Exp(), f"{folder}/f.safetensors")
        ...     f = load(f"{folder}/f.safetensors")
        >>> f(torch.tensor(0.0))
        tensor(2.7183)
    """
    write_tree(path, {"format": _FORMAT, "version": __version__, "model": describe(model, classes)})


def load(path: str | os.PathLike[str], *, classes: Iterable[Any] = ()) -> Any:
    """Return the model that :func:`save` wrote, on the CPU.

    Args:
        path: The file.
        classes: Your own classes (and module-level functions) that occur in the model: what you allow beyond torch's, Pyro's
            and probgen's modules, distributions, transforms and constraints.

    Raises:
        UnsafeFileError: the file is not a saved model (for instance a pickle), or asks for something that is not allowed.

    Example:
        >>> import tempfile, torch
        >>> from probgen.infer import load, save
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save(torch.nn.Linear(2, 1), f"{folder}/net.safetensors")
        ...     load(f"{folder}/net.safetensors")
        Linear(in_features=2, out_features=1, bias=True)
    """
    tree = read_tree(path)
    if not isinstance(tree, dict) or "model" not in tree:
        raise UnsafeFileError(f"{os.fspath(path)!r} is not a saved model; for a checkpoint of `fit`, use `load_weights`.")
    if tree.get("format") != _FORMAT:
        raise UnsafeFileError(f"{os.fspath(path)!r} has format {tree.get('format')}; this version of probgen reads {_FORMAT}.")
    try:
        return build(tree["model"], classes)
    except UnsafeFileError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, ImportError, RuntimeError) as error:
        raise UnsafeFileError(f"{os.fspath(path)!r} is damaged: {error!r}.") from error
