"""Two operations on the laws that denoisers report: move one, and rearrange its batch."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import cast

import pyro.distributions as dist
from pyro.distributions import TorchDistribution
from torch import Tensor

__all__ = ["mapped", "shifted"]


@singledispatch
def shifted(law: TorchDistribution, shift: Tensor) -> TorchDistribution:
    """The law of X + b.

    Args:
        law: Of X: ``Delta``, ``Normal`` (with ``to_event``), ``MultivariateNormal``, or a ``MixtureSameFamily`` of these.
        shift: The vector b, ``[*batch, *event]``.

    Raises:
        NotImplementedError: it is not known how to move this kind of law.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.conditioning.law_arithmetic import shifted
        >>> shifted(dist.Normal(torch.zeros(2), 1.0).to_event(1), torch.ones(2)).mean
        tensor([1., 1.])
    """
    raise NotImplementedError(f"a {type(law).__name__} cannot be moved.")


@shifted.register
def _(law: dist.Delta, shift: Tensor) -> TorchDistribution:
    return dist.Delta(law.v + shift, event_dim=law.event_dim)


@shifted.register
def _(law: dist.Normal, shift: Tensor) -> TorchDistribution:
    return dist.Normal(law.loc + shift, law.scale)


@shifted.register
def _(law: dist.Independent, shift: Tensor) -> TorchDistribution:
    return cast(TorchDistribution, shifted(law.base_dist, shift).to_event(law.reinterpreted_batch_ndims))


@shifted.register
def _(law: dist.MultivariateNormal, shift: Tensor) -> TorchDistribution:
    return dist.MultivariateNormal(law.loc + shift, scale_tril=law.scale_tril, validate_args=False)


@shifted.register
def _(law: dist.MixtureSameFamily, shift: Tensor) -> TorchDistribution:
    over = shift.unsqueeze(-1 - len(law.event_shape))
    result: TorchDistribution = dist.MixtureSameFamily(law.mixture_distribution, shifted(law.component_distribution, over))
    return result


@singledispatch
def mapped(law: TorchDistribution, function: Callable[[Tensor, int], Tensor], extra: int = 0) -> TorchDistribution:
    """The same kind of law with a function applied to every parameter: take rows, gather, detach.

    Args:
        law: As in :func:`shifted`.
        function: From a parameter ``[*batch, ...]`` and the number of its dimensions that are not batch to the new parameter.
        extra: Batch dimensions on the right that the function is to see as not batch.

    Raises:
        NotImplementedError: it is not known how to take this kind of law apart.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.diffusion.conditioning.law_arithmetic import mapped
        >>> law = dist.Delta(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), event_dim=1)
        >>> mapped(law, lambda parameter, rank: parameter[0]).mean
        tensor([1., 2.])
    """
    raise NotImplementedError(f"a batch of {type(law).__name__} cannot be rearranged.")


@mapped.register
def _(law: dist.Delta, function: Callable[[Tensor, int], Tensor], extra: int = 0) -> TorchDistribution:
    return dist.Delta(function(law.v, law.event_dim + extra), event_dim=law.event_dim)


@mapped.register
def _(law: dist.Normal, function: Callable[[Tensor, int], Tensor], extra: int = 0) -> TorchDistribution:
    return dist.Normal(function(law.loc, extra), function(law.scale, extra))


@mapped.register
def _(law: dist.Independent, function: Callable[[Tensor, int], Tensor], extra: int = 0) -> TorchDistribution:
    rank = law.reinterpreted_batch_ndims
    return cast(TorchDistribution, mapped(law.base_dist, function, extra + rank).to_event(rank))


@mapped.register
def _(law: dist.MultivariateNormal, function: Callable[[Tensor, int], Tensor], extra: int = 0) -> TorchDistribution:
    loc, root = function(law.loc, 1 + extra), function(law.scale_tril, 2 + extra)
    return dist.MultivariateNormal(loc, scale_tril=root, validate_args=False)


@mapped.register
def _(law: dist.MixtureSameFamily, function: Callable[[Tensor, int], Tensor], extra: int = 0) -> TorchDistribution:
    logits = function(law.mixture_distribution.logits, 1 + extra)
    components = mapped(law.component_distribution, function, extra + 1)
    result: TorchDistribution = dist.MixtureSameFamily(dist.Categorical(logits=logits, validate_args=False), components)
    return result
