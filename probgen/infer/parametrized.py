"""Modules with parametrizations of torch, such as spectral normalization, among saved models.

torch gives such a module a class of its own, made when the parametrization is registered, with a property for each
parametrized tensor. A file names the class that it was made from and holds the modules that compute the tensors; the rest is
made again here. Parametrizations that hold hooks or functions (weight normalization, orthogonal matrices) cannot be saved.
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils import parametrize

__all__ = ["is_parametrized_class", "parametrized_again"]


def is_parametrized_class(item: Any) -> bool:
    """Whether a class is what torch made of another one to hold a parametrization.

    Args:
        item: Anything.

    Example:
        >>> import torch
        >>> from probgen.infer.parametrized import is_parametrized_class
        >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 2))
        >>> is_parametrized_class(type(layer)), is_parametrized_class(torch.nn.Linear)
        (True, False)
    """
    made = isinstance(item, type) and issubclass(item, nn.Module) and item.__module__ == parametrize.__name__
    return made and item.__name__ == f"Parametrized{item.__bases__[0].__name__}"


def parametrized_again(module: nn.Module) -> None:
    """Give a module that has the state of a parametrized one its properties again.

    Args:
        module: The module, of the original class, with a child ``parametrizations``; changed in place.

    Raises:
        ValueError: there is no such child, or it holds other things than parametrizations of missing tensors.

    Example:
        >>> import torch
        >>> from probgen.infer.parametrized import parametrized_again
        >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(2, 2))
        >>> bare = object.__new__(torch.nn.Linear)
        >>> bare.__dict__.update(layer.__dict__)
        >>> parametrized_again(bare)
        >>> torch.equal(bare.eval().weight, layer.eval().weight)
        True
    """
    children = module._modules.get("parametrizations")
    parts = list(children.items()) if isinstance(children, nn.ModuleDict) else []
    for name, part in parts:
        free = name.isidentifier() and not name.startswith("_") and not hasattr(module, name)
        if not free or not isinstance(part, parametrize.ParametrizationList):
            raise ValueError(f"{type(module).__name__}.{name} is not parametrized.")
    if not parts:
        raise ValueError(f"{type(module).__name__} has no parametrizations.")
    parametrize._inject_new_class(module)
    for name, _ in parts:
        parametrize._inject_property(module, name)
