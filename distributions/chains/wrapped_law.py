"""A distribution that is another one, with something to say about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from pyro.distributions import TorchDistribution
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._wrapping import log_prob_kind_of
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import LogProbKind
from probgen.distributions.events import drawn, scored

__all__ = ["WrappedLaw"]


class WrappedLaw(Distribution):
    """Another law, sampled and scored by that law itself (abstract).

    Args:
        law: The law.
        validate_args: As in ``torch.distributions``.

    Example:
        >>> import pyro.distributions as dist
        >>> from probgen.distributions.chains import WithoutDivergence
        >>> from probgen.distributions.chains.wrapped_law import WrappedLaw
        >>> wrapped = WithoutDivergence(dist.Normal(2.0, 1.0))
        >>> isinstance(wrapped, WrappedLaw), wrapped.mean
        (True, tensor(2.))
    """

    def __init__(self, law: TorchDistribution, *, validate_args: bool | None = None) -> None:
        self.law = law
        super().__init__(law.batch_shape, law.event_shape, validate_args=validate_args)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """That of the law."""
        return log_prob_kind_of(self.law)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the law can be reparameterized."""
        return bool(self.law.has_rsample)

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        """Whether the support of the law can be listed."""
        return bool(self.law.has_enumerate_support)

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  # torch's signature
        """All values of the law, if it can list them."""
        return self.law.enumerate_support(expand)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The support of the law."""
        return cast(Constraint, self.law.support)

    @property
    def mean(self) -> Tensor:
        """The mean of the law, shape ``[*batch, *event]``."""
        return self.law.mean

    @property
    def variance(self) -> Tensor:
        """The variance of every coordinate, shape ``[*batch, *event]``."""
        return self.law.variance

    def entropy(self) -> Tensor:
        """The entropy of the law in nats, shape ``[*batch]``."""
        return self.law.entropy()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.law = self.law.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        return drawn(self.law, sample_shape)

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable where the law is."""
        return self.law.rsample(torch.Size(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``."""
        self._check_shape(value)
        return scored(self.law, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.law})"
