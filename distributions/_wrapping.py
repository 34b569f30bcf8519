"""Reading and rebuilding distributions through the wrappers that torch and Pyro put around them."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pyro.distributions as dist
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Transform

from probgen.distributions.base import Distribution
from probgen.distributions.bijectors import (
    Affine,
    Bijector,
    Compose,
    Conditioned,
    Inverse,
    Lift,
    Linear,
    Permutation,
    Repeat,
    Reverse,
    Scale,
    Shift,
)
from probgen.distributions.estimate import LogProbKind
from probgen.distributions.standard import Standard

__all__ = [
    "held_tensors",
    "integral_transform",
    "is_affine",
    "located",
    "log_prob_kind_of",
    "reinterpreted",
    "unvalidated",
]


def log_prob_kind_of(base: torch.distributions.Distribution) -> LogProbKind:
    """What the ``log_prob`` of any distribution is; torch's and Pyro's are exact."""
    if isinstance(base, Distribution):
        return base.log_prob_kind
    inner = getattr(base, "base_dist", None)
    return "exact" if inner is None else log_prob_kind_of(inner)


def is_affine(bijector: Bijector) -> bool:
    """Whether the map is known to be affine, so that it commutes with expectations."""
    if isinstance(bijector, Compose):
        return all(is_affine(bijector[index]) for index in range(len(bijector)))
    if isinstance(bijector, Conditioned | Inverse | Repeat):
        return is_affine(bijector.base)
    return isinstance(bijector, Affine | Linear | Permutation | Reverse | Scale | Shift)


def reinterpreted(base: torch.distributions.Distribution, dims: int) -> torch.distributions.Distribution:
    """Move the last ``dims`` batch dimensions of any distribution into its event."""
    return base.reinterpreted(dims) if isinstance(base, Standard) else dist.Independent(base, dims)


def located(base: torch.distributions.Distribution, owner: object) -> torch.distributions.Distribution:
    """The base in the dtype and on the device of the tensors of ``owner`` (if it is a module), where it leaves them open."""
    if isinstance(base, Distribution):
        reference = _reference(owner) if isinstance(owner, nn.Module) else None
        return base if reference is None else base.like(reference)
    if isinstance(base, Independent) and isinstance(base.base_dist, Distribution):
        return dist.Independent(located(base.base_dist, owner), base.reinterpreted_batch_ndims)
    return base


def unvalidated(base: torch.distributions.Distribution) -> torch.distributions.Distribution:
    """The same law without value checks, which break ``vmap`` and ``compile``; ours check only where they may."""
    if isinstance(base, Distribution) or not base._validate_args:
        return base
    plain = copy.copy(base)
    for name, value in vars(base).items():
        if isinstance(value, torch.distributions.Distribution):
            setattr(plain, name, unvalidated(value))
    plain._validate_args = False  # last: Pyro's Independent hands it to what it holds, by now a copy
    return plain


def integral_transform(base: torch.distributions.Distribution, z: Tensor) -> Tensor | None:
    """Distribution functions of independent coordinates, shape ``[*sample, *batch, dim]``, or None if they are not known."""
    if isinstance(base, Distribution):
        return base.probability_integral_transform(z)
    rank = len(base.event_shape)
    while isinstance(base, Independent):
        base = base.base_dist
    if base.event_shape:
        return None
    try:
        return base.cdf(z).reshape(*z.shape[: z.dim() - rank], -1)
    except NotImplementedError:
        return None


def _reference(module: nn.Module) -> Tensor | None:
    """The first floating-point tensor that a module holds."""
    return next((tensor for tensor in held_tensors(module) if tensor.is_floating_point()), None)


def held_tensors(module: nn.Module) -> Iterator[Tensor]:
    """All tensors that a module's value may depend on: parameters, buffers, and those of lifted transforms.

    Written out because ``compile`` cannot trace ``parameters()`` of a bijector; a shared part is visited once for each use.
    """
    for own in (module._parameters, module._buffers):
        for tensor in own.values():
            if tensor is not None:
                yield tensor
    if isinstance(module, Lift):
        yield from _tensors_in(module.transform)
    for child in module._modules.values():
        if child is not None:
            yield from held_tensors(child)


def _tensors_in(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors_in(item)
    elif isinstance(value, Transform):
        for name, item in vars(value).items():
            if name != "_inv":  # the inverse points back
                yield from _tensors_in(item)
