"""What the bijectors with a conditioner share: the element they transform with, and what the conditioner sees."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions.bijectors.elementwise import Elementwise
from probgen.distributions.numerics.stable import soft_clip

__all__ = [
    "DEFAULT_INPUT_BOUND",
    "bounded_inputs",
    "flat_context",
    "in_precision_of",
    "prepared_element",
    "require_bound",
    "require_same_sets",
    "require_width",
    "vector_of",
]

DEFAULT_INPUT_BOUND = 3.0
"""Conditioners see b tanh(x / b): nearly the identity for standardized data, bounded for everything else. A larger bound costs
digits of the inverse at inputs beyond it: how fast parameters change with the input is what amplifies rounding."""


def prepared_element(owner: str, element: Elementwise) -> Elementwise:
    """The element without own free parameters, ready for a conditioner's output.

    Raises:
        TypeError: ``element`` is not an elementwise bijector.
        ValueError: nothing is left for the conditioner to emit, or a given value has a batch shape.
    """
    if not isinstance(element, Elementwise):
        raise TypeError(f"`element` of {owner} must be an Elementwise bijector; got {type(element).__name__}.")
    if element.num_free == 0:
        raise ValueError(f"`element` of {owner} must have free parameters; {type(element).__name__} has none.")
    free = {parameter.name for parameter in element.free_parameters}
    for parameter in element.declared_parameters:
        if parameter.name not in free and tuple(getattr(element, parameter.name).shape) != parameter.shape:
            got = tuple(getattr(element, parameter.name).shape)
            raise ValueError(f"the given `{parameter.name}` of `element` must have shape {parameter.shape}; got {got}.")
    return element.as_element()


def require_bound(bound: float) -> float:
    """Check the bound on a conditioner's inputs.

    Raises:
        ValueError: it is not positive.
    """
    if not bound > 0:
        raise ValueError(f"`input_bound` must be positive; got {bound}.")
    return float(bound)


def require_same_sets(element: object) -> None:
    """Check that an element maps a set onto itself, so that some coordinates may be copied; other objects pass.

    Raises:
        ValueError: its domain is not its codomain.
    """
    if isinstance(element, Elementwise) and repr(element.domain) != repr(element.codomain):
        raise ValueError(f"`element` must have equal domain and codomain; got {element.domain} and {element.codomain}.")


def require_width(owner: str, raw: Tensor, width: int) -> Tensor:
    """Check how many numbers a conditioner gives for one event.

    Raises:
        ValueError: another number than ``width``.
    """
    if raw.shape[-1] != width:
        raise ValueError(f"the conditioner of {owner} must give {width} numbers for an event; got {raw.shape[-1]}.")
    return raw


def in_precision_of(network: object, value: Tensor) -> Tensor:
    """A floating-point tensor in the dtype of a network's first parameter: data in float64 may meet a network in float32.

    Integers stay as they are, since a network may look them up in a table.

    Args:
        network: What is to see the tensor.
        value: The tensor.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors._conditioning import in_precision_of
        >>> in_precision_of(torch.nn.Linear(2, 1), torch.zeros(2, dtype=torch.float64)).dtype
        torch.float32
    """
    if not (isinstance(network, nn.Module) and value.is_floating_point()):
        return value
    first = next(network.parameters(), None)
    return value if first is None or first.dtype == value.dtype or not first.is_floating_point() else value.to(first.dtype)


def vector_of(constraint: Constraint) -> Constraint:
    """The constraint on a vector each of whose coordinates satisfies ``constraint``."""
    return constraints.independent(constraint, 1)


def flat_context(context: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The context with its event dimensions flattened to one: ``[*batch, prod(shape)]``."""
    return context.reshape(*context.shape[: context.dim() - len(shape)], math.prod(shape))


def bounded_inputs(x: Tensor, bound: float, context: Tensor | None, context_shape: tuple[int, ...] | None) -> Tensor:
    """What a conditioner sees: ``x`` ``[*batch, n]`` clipped smoothly, then the flattened context, broadcast to one batch."""
    seen = soft_clip(x, bound)
    if context is None or context_shape is None:
        return seen
    extra = flat_context(context, context_shape)
    batch = torch.broadcast_shapes(seen.shape[:-1], extra.shape[:-1])
    return torch.cat([seen.expand(*batch, -1), extra.expand(*batch, -1)], dim=-1)
