"""Running PyroModules on their own parameters, never on Pyro's global store.

Reading a parameter of a PyroModule inside its call is a ``pyro.param`` statement. By default the statement goes through Pyro's
global store, where two modules of the same structure collide; with the setting ``module_local_params`` it keeps to the
module and the statement only informs handlers. An objective always wants the second. Where nobody listens (no outer handler,
no ``PyroSample`` and no plate-subsampled ``PyroParam``) the statements are skipped: they cost more than the small networks
whose weights they announce.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyro
from pyro.nn import PyroModule
from pyro.poutine.runtime import am_i_wrapped
from torch import nn

__all__ = ["call_program", "module_parameters_only"]


class _Silent(int):
    """The activity counter of a PyroModule's context that counts nothing and is never true."""

    def __bool__(self) -> bool:
        return False

    def __iadd__(self, other: int) -> _Silent:
        return self

    def __isub__(self, other: int) -> _Silent:
        return self


_SILENT = _Silent()


@contextmanager
def module_parameters_only(module: nn.Module) -> Iterator[None]:
    """Inside, every PyroModule within ``module`` uses its own parameters, however it was built.

    Args:
        module: The objective whose programs are about to run.

    Example:
        >>> import pyro, torch
        >>> from pyro.nn import PyroModule
        >>> from probgen.infer.pyro_modules import module_parameters_only
        >>> pyro.clear_param_store()
        >>> net = PyroModule[torch.nn.Linear](1, 1)
        >>> with module_parameters_only(net):
        ...     _ = net(torch.ones(1))
        >>> list(pyro.get_param_store().keys())
        []
    """
    contexts, needs_statements = _contexts(module)
    if needs_statements or am_i_wrapped() or any(context.active for context in contexts):
        for context in contexts:
            if not hasattr(context, "param_state"):  # built while the setting was off
                context.param_state = {"params": {}, "constraints": {}}
        with pyro.settings.context(module_local_params=True):
            yield
        return
    before = [context.active for context in contexts]
    for context in contexts:
        context.active = _SILENT
    try:
        yield
    finally:
        for context, active in zip(contexts, before, strict=True):
            context.active = active


def call_program(program: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call a program; one that :func:`module_parameters_only` has silenced needs no context of its own.

    Args:
        program: A PyroModule or any callable.
        args: Positional arguments.
        kwargs: Keyword arguments.

    Example:
        >>> from probgen.infer.pyro_modules import call_program
        >>> call_program(max, (1, 2), {})
        2
    """
    if isinstance(program, PyroModule):
        context = program._pyro_context
        if context.active is _SILENT and type(program).__call__ is PyroModule.__call__:
            context.used = True
            return nn.Module.__call__(program, *args, **kwargs)
    return program(*args, **kwargs)


def _contexts(module: nn.Module) -> tuple[list[Any], bool]:
    """The distinct contexts of all PyroModules inside, and whether some statement could change a value."""
    contexts: dict[int, Any] = {}
    needs_statements = False
    seen = {id(module)}
    pending = [module]
    for part in pending:  # grows as children are found
        state = part.__dict__
        for child in state["_modules"].values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                pending.append(child)
        context = state.get("_pyro_context")
        if context is not None:
            contexts[id(context)] = context
            if state["_pyro_samples"] or any(event_dim is not None for _, event_dim in state["_pyro_params"].values()):
                needs_statements = True
    return list(contexts.values()), needs_statements
