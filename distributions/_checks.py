"""Argument checks: every message names the argument, what was expected, and what came.

Shape checks always run: they read Python integers. Value checks (support, NaN) read tensors, so they would break ``vmap``,
``torch.compile`` and ``torch.export`` and stall a GPU; they run only while validation is on, in eager mode, outside functorch
transforms and tensor-dispatch modes. Validation is torch's own switch: ``torch.distributions.Distribution`` and
``pyro.enable_validation`` share it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.distributions.constraints import Constraint

__all__ = [
    "ContextError",
    "InversionError",
    "require_broadcastable",
    "require_context",
    "require_event_shape",
    "require_values",
    "value_checks_active",
    "values_readable",
    "versions_kept",
]


class ContextError(ValueError):
    """A context is missing, has the wrong size, or is given to something that takes none."""


class InversionError(ArithmeticError):
    """An iterative inverse did not converge for some elements (they are NaN when validation is off)."""


def value_checks_active(*tensors: Tensor) -> bool:
    """Whether tensor values may be read here: validation on, eager mode, no functorch transform, no dispatch mode.

    Example:
        >>> import torch
        >>> from probgen.distributions._checks import value_checks_active
        >>> value_checks_active(torch.zeros(2, device="meta"))
        False
    """
    return bool(Distribution._validate_args) and values_readable(*tensors)


def values_readable(*tensors: Tensor) -> bool:
    """Whether tensor values may be read here: eager mode, no functorch transform, no dispatch mode.

    Example:
        >>> import torch
        >>> from probgen.distributions._checks import values_readable
        >>> torch.vmap(lambda x: x * values_readable(x))(torch.ones(2))
        tensor([0., 0.])
    """
    if torch.compiler.is_compiling():
        return False
    if torch._C._functorch.peek_interpreter_stack() is not None or torch._C._len_torch_dispatch_stack() > 0:
        return False
    return not any(tensor.is_meta for tensor in tensors)


def versions_kept() -> bool:
    """Whether a tensor's identity and version say that it is unchanged: not in dynamo, functorch or inference mode.

    Under a dispatch mode they do, so a program that ``make_fx`` records keeps its shortcuts.

    Example:
        >>> import torch
        >>> from probgen.distributions._checks import versions_kept
        >>> with torch.inference_mode():
        ...     inside = versions_kept()
        >>> versions_kept(), inside
        (True, False)
    """
    if torch.compiler.is_compiling() or torch.is_inference_mode_enabled():
        return False
    return torch._C._functorch.peek_interpreter_stack() is None


def require_event_shape(name: str, value: Tensor, event_dim: int, event_shape: Sequence[int] | None = None) -> None:
    """Check that ``value`` is a floating tensor ``[*batch, *event]`` with the given event.

    Raises:
        TypeError: ``value`` is not a floating-point tensor.
        ValueError: ``value`` has too few dimensions or another event shape.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"`{name}` must be a torch.Tensor; got {type(value).__name__}.")
    if not value.is_floating_point():
        raise TypeError(f"`{name}` must have a floating-point dtype; got {value.dtype}.")
    shape = tuple(value.shape)
    if len(shape) < event_dim:
        raise ValueError(f"`{name}` needs at least {event_dim} event dimension(s); got shape {shape}.")
    if event_shape is not None and shape[len(shape) - event_dim :] != tuple(event_shape):
        raise ValueError(f"`{name}` must have event shape {tuple(event_shape)}; got shape {shape}.")


def require_broadcastable(name: str, batch: Sequence[int], other_name: str, other: Sequence[int]) -> None:
    """Check that two batch shapes broadcast.

    Raises:
        ValueError: they do not.
    """
    if not tuple(other) or tuple(batch) == tuple(other):  # torch's answer takes longer than a small layer
        return
    try:
        torch.broadcast_shapes(tuple(batch), tuple(other))
    except RuntimeError:
        raise ValueError(
            f"the batch shape {tuple(batch)} of `{name}` does not broadcast with {tuple(other)} of `{other_name}`."
        ) from None


def require_context(owner: str, context: Tensor | None, shape: tuple[int, ...] | None, batch: Sequence[int]) -> None:
    """Check ``context`` ``[*batch, *shape]`` against what ``owner`` declares (``shape=None``: it takes no context).

    Raises:
        TypeError: the context is not a tensor.
        ContextError: the context is missing, not wanted, or has another shape.
    """
    if not (context is None or isinstance(context, Tensor)):
        raise TypeError(f"the context of {owner} must be a torch.Tensor; got {type(context).__name__}.")
    if shape is None:
        if context is not None:
            raise ContextError(f"{owner} takes no context; got one of shape {tuple(context.shape)}.")
        return
    if context is None:
        raise ContextError(f"{owner} needs a context with trailing shape {shape}; got None.")
    got = tuple(context.shape)
    if got[max(len(got) - len(shape), 0) :] != shape:
        raise ContextError(f"{owner} needs a context with trailing shape {shape}; got shape {got}.")
    try:
        torch.broadcast_shapes(got[: len(got) - len(shape)], tuple(batch))
    except RuntimeError:
        raise ContextError(
            f"the batch shape {got[: len(got) - len(shape)]} of the context of {owner} "
            f"does not broadcast with the batch shape {tuple(batch)} of the value."
        ) from None


def require_values(name: str, value: Tensor, constraint: Constraint, owner: str) -> None:
    """Check, where values may be read, that all of ``value`` satisfies ``constraint``.

    Raises:
        ValueError: some elements do not (NaN satisfies no constraint).
    """
    if not value_checks_active(value) or constraint.is_discrete or value.numel() == 0:
        return
    valid = constraint.check(value.detach())
    if not bool(valid.all()):
        wrong = int((~valid).sum())
        raise ValueError(
            f"`{name}` of {owner} must satisfy {constraint}; {wrong} of {valid.numel()} element(s) do not"
            f"{' (NaN)' if bool(value.isnan().any()) else ''}."
        )
