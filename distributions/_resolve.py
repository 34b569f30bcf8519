"""Bijectors with random parameters (``PyroSample``) as plain bijectors with the values drawn once.

A parameter declared as ``PyroSample`` is drawn when it is read, and drawn afresh when it is read outside the module's context.
Pyro scores a site after the program has run, so a distribution that kept such a module would be scored with other parameters
than it was drawn with. A distribution therefore reads them once, when it is built.
"""

from __future__ import annotations

import copy

from pyro.nn import PyroModule
from torch import nn

from probgen.distributions.bijectors import Bijector

__all__ = ["resolved"]


def resolved(bijector: Bijector) -> Bijector:
    """Return ``bijector`` with every ``PyroSample`` parameter read once; the same object if it has none.

    All other parameters stay shared with ``bijector``.

    Example:
        >>> from probgen.distributions._resolve import resolved
        >>> from probgen.distributions.bijectors import Exp
        >>> f = Exp()
        >>> resolved(f) is f
        True
    """
    result = _copy(bijector)
    if not isinstance(result, Bijector):
        raise TypeError(f"`bijector` must be a Bijector; got {type(result).__name__}.")
    return result


def _is_random(module: nn.Module) -> bool:
    if isinstance(module, PyroModule) and module._pyro_samples:
        return True
    return any(_is_random(child) for child in module._modules.values() if child is not None)


def _copy(module: nn.Module) -> nn.Module:
    if not _is_random(module):
        return module
    children = {name: _copy(child) for name, child in module._modules.items() if child is not None}
    if not isinstance(module, PyroModule):
        plain = copy.copy(module)
        plain._modules = {**module._modules, **children}
        return plain
    values = {name: getattr(module, name) for name in (*module._pyro_samples, *module._pyro_params)}
    plain = _without_pyro(module)
    plain._parameters = {name: value for name, value in module._parameters.items() if name not in values}
    plain._modules = {**module._modules, **children}
    plain._buffers = {**module._buffers, **values}
    return plain


def _without_pyro(module: PyroModule) -> nn.Module:
    """A shallow copy as an instance of the class that ``PyroModule[...]`` was made from."""
    original = next(cls for cls in type(module).__mro__ if not issubclass(cls, PyroModule))
    plain = original.__new__(original)
    plain.__dict__.update({name: value for name, value in vars(module).items() if not name.startswith("_pyro_")})
    if not isinstance(plain, nn.Module):
        raise TypeError(f"{type(module).__name__} holds `PyroSample` parameters but was not made by `PyroModule[...]`.")
    return plain
