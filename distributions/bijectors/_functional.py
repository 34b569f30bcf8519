"""A module's hooks as functions of its tensors: what evaluates one layer with numbers that are not its own.

Two things need that: layers whose parameters are slices of stacked ones (``Repeat``), and layers that are evaluated again on
the way back, when the module may hold other numbers than it did on the way there (``_reversible.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["call_hook", "hook_of", "tensors_of"]


class _Hook(nn.Module):
    """One method of a module as the call of a module, which ``functional_call`` takes."""

    def __init__(self, part: nn.Module, name: str) -> None:
        super().__init__()
        self.part = part
        self.name = name

    def forward(self, *args: Any) -> Any:
        return getattr(self.part, self.name)(*args)


def tensors_of(module: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer at the place where it is held.

    A tensor that two modules hold has two names; a module that is reached by two paths is listed once, because tensors that are
    swapped in twice are swapped out once.

    Args:
        module: Any module.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._functional import tensors_of
        >>> sorted(tensors_of(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU())))
        ['0.bias', '0.weight']
    """
    return _collected(module, "", {}, set())


def _collected(module: nn.Module, prefix: str, found: dict[str, Tensor], seen: set[int]) -> dict[str, Tensor]:
    """As ``named_modules``, which asks for hashes that dynamo cannot trace."""
    seen.add(id(module))
    for name, tensor in (*module._parameters.items(), *module._buffers.items()):
        if tensor is not None:
            found[prefix + name] = tensor
    for name, child in module._modules.items():
        if child is not None and id(child) not in seen:
            _collected(child, f"{prefix}{name}.", found, seen)
    return found


def call_hook(module: nn.Module, hook: str, tensors: Mapping[str, Tensor], *args: Any) -> Any:
    """Call ``module.<hook>(*args)`` with other tensors in the places of its own.

    Args:
        module: Any module.
        hook: Name of one of its methods.
        tensors: Tensors by the names of :func:`tensors_of`; what is not named stays.
        *args: Arguments of the method.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Shift
        >>> from probgen.distributions.bijectors._functional import call_hook
        >>> call_hook(Shift(1.0), "inverse", {"loc": torch.tensor(5.0)}, torch.tensor(7.0))
        tensor(2.)
    """
    return hook_of(module, hook)(tensors, *args)


def hook_of(module: nn.Module, hook: str) -> Callable[..., Any]:
    """``module.<hook>`` as a function of its tensors and then of its arguments.

    Args:
        module: Any module.
        hook: Name of one of its methods.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors import Shift
        >>> from probgen.distributions.bijectors._functional import hook_of
        >>> hook_of(Shift(1.0), "forward")({"loc": torch.tensor(5.0)}, torch.tensor(2.0))
        tensor(7.)
    """
    holder = _Hook(module, hook)

    def run(tensors: Mapping[str, Tensor], *args: Any) -> Any:
        state = {f"part.{name}": tensor for name, tensor in tensors.items()}
        return torch.func.functional_call(holder, state, args, tie_weights=False)

    return run
