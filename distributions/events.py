"""Coefficients and laws over events of any shape, for batches of any shape, also empty ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pyro.distributions as dist
import torch
from pyro.distributions import TorchDistribution
from pyro.distributions.torch_distribution import MaskedDistribution
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, OneHotCategorical

from probgen.distributions._checks import values_readable
from probgen.distributions.base import Distribution
from probgen.distributions.standard import Standard, StandardNormal

__all__ = [
    "batch_of",
    "checked",
    "coordinates",
    "drawn",
    "normal_over_event",
    "one_batch_dim",
    "over_event",
    "placed",
    "reference_draw",
    "scored",
]


def over_event(coefficient: Tensor, event_dim: int, like: Tensor) -> Tensor:
    """Let a coefficient of the shape of a batch broadcast over the event, in the dtype and on the device of ``like``.

    Args:
        coefficient: Shape ``[*batch]``; a scalar stays one.
        event_dim: Number of event dimensions.
        like: Gives dtype and device.

    Example:
        >>> import torch
        >>> from probgen.distributions.events import over_event
        >>> over_event(torch.ones(5), 2, like=torch.zeros(5, 8, 8).double()).shape
        torch.Size([5, 1, 1])
    """
    cast_coefficient = coefficient.to(dtype=like.dtype, device=like.device)
    if not cast_coefficient.dim():
        return cast_coefficient
    return cast_coefficient.reshape(*cast_coefficient.shape, *(1,) * event_dim)


def normal_over_event(mean: Tensor, std: Tensor, event_dim: int) -> TorchDistribution:
    r"""Independent normal coordinates, the last ``event_dim`` dimensions being the event.

    Args:
        mean: Shape ``[*batch, *event]``.
        std: Standard deviation, broadcasting with the mean.
        event_dim: Number of event dimensions.

    Example:
        >>> import torch
        >>> from probgen.distributions.events import normal_over_event
        >>> law = normal_over_event(torch.zeros(5, 8, 8), torch.tensor(0.1), 2)
        >>> law.batch_shape, law.event_shape
        (torch.Size([5]), torch.Size([8, 8]))
    """
    return cast(TorchDistribution, dist.Normal(mean, std, validate_args=checked(mean, std)).to_event(event_dim))


def coordinates(law: TorchDistribution) -> TorchDistribution | None:
    """The law of every coordinate, the event moved into the batch, or None where coordinates may depend on each other.

    Args:
        law: Any distribution; one of scalar events is returned as it is.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.events import coordinates
        >>> coordinates(standard_normal(3)).batch_shape
        torch.Size([3])
        >>> print(coordinates(dist.MultivariateNormal(torch.zeros(2), torch.eye(2))))
        None
    """
    if isinstance(law, StandardNormal):
        return cast(TorchDistribution, dist.Normal(law.mean, torch.ones_like(law.mean)))
    if isinstance(law, Standard):
        return law.coordinates()
    while isinstance(law, torch.distributions.Independent):
        law = law.base_dist
    return None if len(law.event_shape) else law


def batch_of(what: str, x: Tensor, shape: Sequence[int]) -> torch.Size:
    """The batch shape of values that end with a shape.

    Args:
        what: What the values are, to begin the message.
        x: Shape ``[*batch, *shape]``.
        shape: The trailing shape.

    Raises:
        ValueError: the values end with another shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.events import batch_of
        >>> batch_of("`x`", torch.zeros(5, 2, 8, 8), (8, 8))
        torch.Size([5, 2])
    """
    cut = x.dim() - len(shape)
    if cut < 0 or tuple(x.shape[cut:]) != tuple(shape):
        raise ValueError(f"{what} must end with {tuple(shape)}; got {tuple(x.shape)}.")
    return x.shape[:cut]


def one_batch_dim(x: Tensor, batch: torch.Size, shape: Sequence[int]) -> Tensor:
    """One batch dimension, as networks see it: ``[N, *shape]``, after broadcasting to a batch.

    Args:
        x: Shape ``[*batch, *shape]``, or one that broadcasts to it.
        batch: The batch shape.
        shape: The trailing shape.

    Example:
        >>> import torch
        >>> from probgen.distributions.events import one_batch_dim
        >>> one_batch_dim(torch.zeros(2, 3), torch.Size([5, 2]), (3,)).shape
        torch.Size([10, 3])
    """
    if len(batch) == 1 and x.shape == (*batch, *shape):
        return x  # two views less on the way back
    return x.expand((*batch, *shape)).reshape(batch.numel(), *shape)


def reference_draw(law: TorchDistribution) -> Tensor:
    """A draw that tells shape, dtype and device of a law; no randomness of the CPU is used up.

    Args:
        law: Any distribution.

    Example:
        >>> import pyro.distributions as dist
        >>> import torch
        >>> from probgen.distributions.events import reference_draw
        >>> reference_draw(dist.Normal(torch.zeros(2).double(), 1.0)).dtype
        torch.float64
    """
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        return drawn(law)


def placed(law: TorchDistribution, reference: Tensor) -> TorchDistribution:
    """The same law in the dtype and on the device of ``reference``, where it leaves them open.

    Args:
        law: Any distribution; those of torch and Pyro have a place of their own.
        reference: A floating-point tensor.

    Example:
        >>> import torch
        >>> from probgen.distributions import standard_normal
        >>> from probgen.distributions.events import placed
        >>> placed(standard_normal(2), torch.zeros((), dtype=torch.float64)).sample().dtype
        torch.float64
    """
    return law.like(reference) if isinstance(law, Distribution) else law


def drawn(law: TorchDistribution, sample_shape: Sequence[int] = ()) -> Tensor:
    """Draw from a law without gradients, also where there is nothing to draw, which torch's categorical laws refuse.

    Args:
        law: Any distribution.
        sample_shape: Shape of the draws.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.events import drawn
        >>> drawn(dist.Categorical(torch.ones(2)), (0,)).shape
        torch.Size([0])
    """
    shape = torch.Size((*sample_shape, *law.batch_shape, *law.event_shape))
    if shape.numel():
        return law.sample(torch.Size(sample_shape))
    inner: object = law
    while isinstance(inner, Independent | MaskedDistribution):
        inner = inner.base_dist
    if isinstance(inner, Categorical):
        return torch.empty(shape, dtype=torch.long, device=inner.logits.device)
    if isinstance(inner, MixtureSameFamily | OneHotCategorical):  # they choose by a categorical law
        return torch.empty(shape, dtype=law.mean.dtype, device=law.mean.device)
    return law.sample(torch.Size(sample_shape))


def scored(law: TorchDistribution, value: Tensor) -> Tensor:
    """The log-density of a law, also of no values, which torch's ``Independent`` refuses; then, too, part of the law's graph.

    Args:
        law: Any distribution.
        value: Shape ``[*sample, *batch, *event]``.

    Example:
        >>> import torch
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.events import scored
        >>> scored(dist.Normal(torch.zeros(2), 1.0).to_event(1), torch.zeros(0, 2)).shape
        torch.Size([0])
    """
    if value.numel() or isinstance(law, dist.Unit):  # what `pyro.factor` draws has no elements
        return law.log_prob(value)
    if not law.event_shape and not isinstance(law, MixtureSameFamily):  # mixtures cannot check nothing
        return law.log_prob(value)
    if isinstance(law, Independent):
        inner, rank = scored(law.base_dist, value), law.reinterpreted_batch_ndims
        return inner.sum(tuple(range(-rank, 0))) if rank else inner
    shape = torch.broadcast_shapes(value.shape[: value.dim() - len(law.event_shape)], law.batch_shape)
    if value.requires_grad and not shape.numel():
        return value.reshape(shape)
    return torch.zeros(shape, dtype=value.dtype if value.is_floating_point() else None, device=value.device)


def checked(*parameters: Tensor) -> bool | None:
    """The ``validate_args`` of a law whose parameters were computed: torch's default, but off where values cannot be read
    or there are none, which some of torch's checks refuse.

    Args:
        *parameters: What the law is made of.

    Example:
        >>> import torch
        >>> from probgen.distributions.events import checked
        >>> print(checked(torch.zeros(2)), checked(torch.zeros(2, device="meta")), checked(torch.zeros(0, 2)))
        None False False
    """
    return None if values_readable(*parameters) and all(part.numel() for part in parameters) else False
