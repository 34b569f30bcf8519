r"""Finite mixtures: :math:`p(x) = \sum_k \pi_k\, p_k(x)`, scored exactly by

.. math::

    \log p(x) = \operatorname{logsumexp}_k \bigl(\log \pi_k + \log p_k(x)\bigr), \qquad \pi = \operatorname{softmax}(a).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn
from torch.distributions import Transform, constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import ContextError
from probgen.distributions._wrapping import log_prob_kind_of
from probgen.distributions.base import Distribution
from probgen.distributions.bijectors import Bijector
from probgen.distributions.conditional import ConditionalDistribution
from probgen.distributions.estimate import LogProbKind
from probgen.distributions.transformed import TransformedDistribution

__all__ = ["Mixture", "MixtureOfFlows"]


class Mixture(Distribution):
    r"""A mixture of arbitrary distributions over the same events.

    Args:
        components: The :math:`K` components, with one event shape and one support; their batch shapes broadcast.
        logits: Unnormalized log-weights :math:`a`, shape ``[*batch, K]``.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: components differ in event shape or support, or the number of logits is not that of components.

    Example:
        >>> import torch
        >>> from pyro.distributions import Normal
        >>> from probgen.distributions import Mixture
        >>> d = Mixture([Normal(-2.0, 1.0), Normal(2.0, 1.0)], torch.zeros(2))
        >>> d.log_prob(torch.tensor(0.0)), d.component_posterior(torch.tensor(0.0))
        (tensor(-2.9189), tensor([0.5000, 0.5000]))
    """

    def __init__(
        self, components: Sequence[torch.distributions.Distribution], logits: Tensor, *, validate_args: bool | None = None
    ) -> None:
        if not components or logits.dim() < 1 or logits.shape[-1] != len(components):
            raise ValueError(
                f"`logits` must have one entry for each of {len(components)} components; got {tuple(logits.shape)}."
            )
        for name in ("event_shape", "support"):
            found = {str(getattr(component, name)) for component in components}
            if len(found) > 1:
                raise ValueError(f"`components` must have one {name}; got {sorted(found)}.")
        batch = torch.broadcast_shapes(logits.shape[:-1], *(component.batch_shape for component in components))
        self.components = [component.expand(batch) for component in components]
        self.logits = logits
        super().__init__(batch, components[0].event_shape, validate_args=validate_args)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """The weakest of the components' kinds."""
        kinds = {log_prob_kind_of(component) for component in self.components}
        return "none" if "none" in kinds else "lower" if "lower" in kinds else "exact" if kinds == {"exact"} else "none"

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The support of the components."""
        return cast(Constraint, self.components[0].support)

    @property
    def log_weights(self) -> Tensor:
        r"""Normalized :math:`\log \pi`, shape ``[*batch, K]``."""
        return torch.log_softmax(self.logits, -1)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same mixture with another batch shape."""
        new = self._expanded(batch_shape, _instance)
        new.components = [component.expand(torch.Size(batch_shape)) for component in self.components]
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``: every component draws, one of the draws is taken."""
        with torch.no_grad():
            rank = len(self.event_shape)
            draws = torch.stack([component.sample(torch.Size(sample_shape)) for component in self.components], -1 - rank)
            weights = self.log_weights.expand(draws.shape[: draws.dim() - rank])
            chosen = torch.distributions.Categorical(logits=weights, validate_args=False).sample()
            index = chosen.reshape(*chosen.shape, *(1,) * (rank + 1)).expand(*chosen.shape, 1, *self.event_shape)
            return draws.gather(-1 - rank, index).squeeze(-1 - rank)

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``."""
        joint = self._joint(value)
        impossible = (joint == -math.inf).all(-1)
        total = torch.logsumexp(torch.where(impossible.unsqueeze(-1), torch.zeros_like(joint), joint), -1)
        return torch.where(impossible, torch.full_like(total, -math.inf), total)

    def component_posterior(self, value: Tensor) -> Tensor:
        r"""Posterior probabilities :math:`p(k \mid x)`, shape ``[*sample, *batch, K]``."""
        return torch.softmax(self._joint(value), -1)

    def _joint(self, value: Tensor) -> Tensor:
        self._check_shape(value)
        scores = torch.stack([component.log_prob(value) for component in self.components], -1)
        return self.log_weights + scores

    def _weighted(self, values: list[Tensor]) -> Tensor:
        rank = len(self.event_shape)
        weights = self.log_weights.exp()
        weights = weights.reshape(*weights.shape[:-1], *(1,) * rank, weights.shape[-1])
        return (weights * torch.stack(values, -1)).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The weighted mean of the components' means."""
        return self._weighted([component.mean for component in self.components])

    @property
    def variance(self) -> Tensor:
        """Mean of the variances plus variance of the means."""
        mean = self.mean
        return self._weighted([item.variance + (item.mean - mean).square() for item in self.components])

    def cdf(self, value: Tensor) -> Tensor:
        """Distribution function, for scalar events."""
        if self.event_shape:
            raise NotImplementedError(f"`cdf` needs scalar events; got event shape {tuple(self.event_shape)}.")
        return self._weighted([component.cdf(value) for component in self.components])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.components})"


class MixtureOfFlows(ConditionalDistribution):
    r"""A mixture of flows with learnable weights; calling it gives the ``Mixture`` of the moment.

    Args:
        base: Base distribution of every flow.
        bijectors: One bijector for each of the :math:`K` components; those that take a context take the same shape.
        weights: A module from the context ``[*batch, *context_shape]`` to logits ``[*batch, K]``; None to learn constant ones.
        context_shape: Trailing shape of the context, where only ``weights`` takes one.

    Raises:
        ContextError: the bijectors take different contexts, ``weights`` is given but no context shape is known, or a context
            shape is given and nobody takes the context.

    Example:
        >>> from probgen.distributions import MixtureOfFlows, standard_normal
        >>> from probgen.distributions.bijectors import Affine
        >>> mixture = MixtureOfFlows(standard_normal(2), [Affine(shape=(2,)) for _ in range(3)])
        >>> mixture().log_weights.exp().detach(), len(list(mixture.parameters()))
        (tensor([0.3333, 0.3333, 0.3333]), 7)
    """

    def __init__(
        self,
        base: torch.distributions.Distribution,
        bijectors: Sequence[Bijector],
        weights: nn.Module | None = None,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        shapes = {bijector.context_shape for bijector in bijectors} - {None} | ({context_shape} - {None})
        if len(shapes) > 1:
            raise ContextError(f"all parts that take a context must declare the same shape; got {sorted(map(str, shapes))}.")
        self.context_shape = shapes.pop() if shapes else None
        if context_shape is not None and weights is None and all(bijector.context_shape is None for bijector in bijectors):
            raise ContextError("`context_shape` is given, but neither `weights` nor a bijector takes a context.")
        if weights is not None and self.context_shape is None:
            raise ContextError("`context_shape` must be given: no bijector declares the context that `weights` takes.")
        self.base = base
        self.bijectors = nn.ModuleList(bijectors)
        self.weights = weights
        self.logits = nn.Parameter(torch.zeros(len(bijectors))) if weights is None else None

    def _given(self, context: Tensor | None) -> Mixture:
        components = [TransformedDistribution(self.base, _conditioned(part, context)) for part in self.bijectors]
        logits = self.logits if self.weights is None else self.weights(context)
        return Mixture(components, logits)  # type: ignore[arg-type]


def _conditioned(bijector: Any, context: Tensor | None) -> Transform:
    if context is None or bijector.context_shape is None:
        return bijector  # type: ignore[no-any-return]
    return bijector.condition(context)  # type: ignore[no-any-return]
