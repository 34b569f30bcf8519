r"""Independent categorical coordinates of one event, with impossible states: the laws of categorical processes.

.. math::

    \log p(x) = \sum_d \log\pi_d(x_d), \qquad
    \mathrm{KL}(p \,\|\, q) = \sum_d \sum_k \pi_d(k) \log\frac{\pi_d(k)}{\rho_d(k)} .

A log-probability may be minus infinity: such a state has no mass, contributes nothing to a divergence from the left, and
passes no NaN to gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint
from torch.distributions.kl import register_kl

from probgen.distributions.base import Distribution
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["IndependentCategorical"]


class IndependentCategorical(Distribution):
    r"""Integers :math:`0, \dots, S - 1` in every coordinate of an event, independently.

    Args:
        logits: Unnormalized log-probabilities ``[*batch, *event, S]``; minus infinity where impossible, but not everywhere.
        event_dim: Number of event dimensions.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the logits have too few dimensions.

    Example:
        >>> import torch
        >>> from probgen.distributions.chains import IndependentCategorical
        >>> law = IndependentCategorical(torch.tensor([[0.0, -torch.inf], [0.0, 0.0]]), event_dim=1)
        >>> law.log_prob(torch.tensor([[0, 1], [1, 1]])).exp()
        tensor([0.5000, 0.0000])
    """

    def __init__(self, logits: Tensor, event_dim: int, *, validate_args: bool | None = None) -> None:
        if logits.dim() < event_dim + 1:
            raise ValueError(f"`logits` must have at least {event_dim + 1} dimensions; got shape {tuple(logits.shape)}.")
        self.log_probs = logits.log_softmax(-1)
        cut = logits.dim() - 1 - event_dim
        super().__init__(logits.shape[:cut], logits.shape[cut:-1], validate_args=validate_args)

    @property
    def states(self) -> int:
        """Number S of states of a coordinate."""
        return self.log_probs.shape[-1]

    @property
    def probs(self) -> Tensor:
        """Probabilities ``[*batch, *event, S]``."""
        return self.log_probs.exp()

    @constraints.dependent_property(is_discrete=True)
    def support(self) -> Constraint:
        """The integers below S, in every coordinate."""
        return constraints.independent(constraints.integer_interval(0, self.states - 1), len(self.event_shape))

    @property
    def mean(self) -> Tensor:
        """The expected number of each coordinate, ``[*batch, *event]``."""
        return (self.probs * self._numbers()).sum(-1)

    @property
    def variance(self) -> Tensor:
        """The variance of each coordinate's number, ``[*batch, *event]``."""
        return (self.probs * (self._numbers() - self.mean.unsqueeze(-1)).square()).sum(-1)

    @property
    def mode(self) -> Tensor:
        """The most probable state of each coordinate, ``[*batch, *event]``."""
        return self.log_probs.argmax(-1)

    def entropy(self) -> Tensor:
        """Entropy in nats, shape ``[*batch]``."""
        possible = torch.where(self.log_probs == -torch.inf, 0.0, self.log_probs)
        return -sum_rightmost(self.probs * possible, len(self.event_shape) + 1)

    @property
    def has_enumerate_support(self) -> bool:  # type: ignore[override]
        """Whether the states can be listed: those of a single coordinate, an event of shape ()."""
        return not self.event_shape

    def enumerate_support(self, expand: bool = True) -> Tensor:  # noqa: FBT001, FBT002  (torch's signature)
        """All states of a single coordinate, ``[S, *batch]`` (ones for the batch if not ``expand``).

        Raises:
            NotImplementedError: an event has several coordinates.
        """
        if self.event_shape:
            raise NotImplementedError(f"only single coordinates are listed; got events of shape {tuple(self.event_shape)}.")
        states = torch.arange(self.states, device=self.log_probs.device).reshape(-1, *(1,) * len(self.batch_shape))
        return states.expand(-1, *self.batch_shape) if expand else states

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.log_probs = self.log_probs.expand(*batch_shape, *self.event_shape, self.states)
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw integers ``[*sample_shape, *batch, *event]``."""
        with torch.no_grad():
            shape = torch.Size((*sample_shape, *self.batch_shape, *self.event_shape, self.states))
            probs = self.probs.expand(shape).reshape(-1, self.states)
            if not probs.numel():  # torch cannot draw nothing
                return probs.new_zeros(shape[:-1], dtype=torch.long)
            return torch.multinomial(probs, 1).reshape(shape[:-1])

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-probability in nats, shape ``[*sample, *batch]``; minus infinity off the integers below S."""
        self._check_shape(value)
        if self._checks_values(value):
            self._check_support(value)
        inside = (value >= 0) & (value < self.states) & (value == value.floor())
        index = torch.where(inside, value, 0).long()
        shape = torch.broadcast_shapes(index.shape, self.log_probs.shape[:-1])
        index = index.broadcast_to(shape).unsqueeze(-1)
        picked = self.log_probs.broadcast_to((*shape, self.states)).gather(-1, index).squeeze(-1)
        return sum_rightmost(torch.where(inside, picked, -torch.inf), len(self.event_shape))

    def _numbers(self) -> Tensor:
        return torch.arange(self.states, device=self.log_probs.device, dtype=self.log_probs.dtype)

    def __repr__(self) -> str:
        shapes = f"batch_shape={tuple(self.batch_shape)}, event_shape={tuple(self.event_shape)}"
        return f"{type(self).__name__}({shapes}, states={self.states})"


def _divergence(p: IndependentCategorical, q: IndependentCategorical) -> Tensor:
    """KL divergence in nats, shape ``[*batch]``; infinite where q rules out what p may be."""
    possible = p.log_probs != -torch.inf
    ruled_out = possible & (q.log_probs == -torch.inf)  # also where the mass underflows: zero times infinity is NaN
    ratio = torch.where(possible, p.log_probs, 0.0) - torch.where(possible & ~ruled_out, q.log_probs, 0.0)
    return sum_rightmost(torch.where(ruled_out, torch.inf, p.probs * ratio), len(p.event_shape) + 1)


register_kl(IndependentCategorical, IndependentCategorical)(_divergence)
