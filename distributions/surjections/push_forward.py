r"""The law of what a stochastic map makes of a base: exact where the way back is a function, else a bound.

.. math::

    \log p(x) = \log \mathbb E\bigl[\, p_0(z)\, e^{\mathcal V(x, z)} \bigr]
              \ge \mathbb E \Bigl[ \log \tfrac1n \textstyle\sum_{i=1}^n p_0(z_i)\, e^{\mathcal V(x, z_i)} \Bigr],

over the draws :math:`z` of the guides; with equality, and one term, where there are none. The gap of the bound with one draw is
:math:`\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))`, and the bound grows with :math:`n`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_context
from probgen.distributions._outside import minus_infinity_outside
from probgen.distributions._shapes import fitted, transformed_shapes
from probgen.distributions._wrapping import held_tensors, located, log_prob_kind_of, unvalidated
from probgen.distributions.base import Distribution
from probgen.distributions.constraints import is_real
from probgen.distributions.estimate import (
    DensityUnavailable,
    Estimate,
    LogProbKind,
    log_mean_exp_estimate,
    mean_estimate,
)
from probgen.distributions.events import drawn, scored
from probgen.distributions.numerics.stable import sum_rightmost
from probgen.distributions.surjections.composed_map import require_no_lost_mass
from probgen.distributions.surjections.stochastic_map import StochasticMap

__all__ = ["PushForward"]


class PushForward(Distribution):
    r"""The law of :math:`x` made from :math:`z \sim p_0` by a stochastic map (abstract).

    Args:
        base: The law :math:`p_0` of :math:`z`.
        transform: The map from the base to the data.
        context: The context that the map takes, ``[*context_batch, *context_shape]``; None where it takes none, or is to be
            bound later.
        allow_estimate: Let ``log_prob`` return the bound (or the unbiased estimate), fresh at every call.
        num_draws: Draws of the guides in that ``log_prob``.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the shapes do not fit, the base puts mass where the map is not defined, or there are no draws.
        ContextError: the context has another shape, or the map takes none.

    Example:
        >>> import torch
        >>> from probgen.distributions import Dequantized, standard_normal
        >>> from probgen.distributions.surjections import PushForward
        >>> isinstance(Dequantized(standard_normal(2)), PushForward)
        True
    """

    def __init__(
        self,
        base: torch.distributions.Distribution,
        transform: StochasticMap,
        *,
        context: Tensor | None = None,
        allow_estimate: bool = False,
        num_draws: int = 1,
        validate_args: bool | None = None,
    ) -> None:
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        if context is not None:
            require_context(type(transform).__name__, context, transform.context_shape, ())
        require_no_lost_mass(type(base).__name__, cast(Constraint, base.support), transform)
        self.transform = transform
        self.context = context
        self.allow_estimate = allow_estimate
        self.num_draws = num_draws
        shapes = transformed_shapes(base, transform)
        batch = torch.Size(torch.broadcast_shapes(shapes.batch, self._context_batch()))
        self._base = fitted(base, shapes, transform.domain.event_dim)
        self._extra = len(shapes.event) - transform.codomain.event_dim
        super().__init__(batch, shapes.event, validate_args=validate_args)
        if batch != shapes.batch:
            self._base = self._base.expand(self._base_batch(batch))

    # ------------------------------------------------------------------------------------------------------- what it is made of

    @property
    def base_dist(self) -> torch.distributions.Distribution:
        """The base, in the dtype and on the device of the map where it leaves them open."""
        return located(self._base, self.transform)

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """That of the base; "lower" where the map has guides, "none" where a log-determinant in it is biased."""
        kind = log_prob_kind_of(self._base)
        if kind == "none" or self.transform.contribution_kind == "biased":
            return "none"
        if self.transform.draws_inverse or kind == "lower":
            return "lower"
        return "unbiased" if "unbiased" in (kind, self.transform.contribution_kind) else "exact"

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context that is still needed, or None."""
        return self.transform.context_shape if self.context is None else None

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether base and map are differentiable."""
        return bool(self._base.has_rsample) and self.transform.has_rsample

    @constraints.dependent_property
    def support(self) -> Constraint:
        """The codomain of the map, over the event."""
        codomain = self.transform.codomain
        return constraints.independent(codomain, self._extra) if self._extra else codomain

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; parameters are shared."""
        new = self._expanded(batch_shape, _instance)
        new._base = self._base.expand(self._base_batch(torch.Size(batch_shape)))
        return new

    # --------------------------------------------------------------------------------------------------------- drawing, scoring

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return self._made(drawn(cast(Any, self.base_dist), torch.Size(sample_shape)))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in all parameters.

        Raises:
            NotImplementedError: the base or the map has no derivative.
        """
        if not self.has_rsample:
            raise NotImplementedError(f"{type(self).__name__} has no `rsample`: its base or its map has no derivative.")
        return self._made(self.base_dist.rsample(torch.Size(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density (or mass) in nats, shape ``[*sample, *batch]``.

        Args:
            value: Points ``[*sample, *batch, *event]``, of any dtype.

        Raises:
            DensityUnavailable: there is only a bound or an estimate, and the object was built without ``allow_estimate=True``.
        """
        if self.log_prob_kind == "exact":
            return self._exact_log_prob(self._checked(value))
        if not self.allow_estimate or self.log_prob_kind == "none":
            raise DensityUnavailable(
                type(self).__name__,
                "what its map forgets is integrated over",
                "`.log_prob_estimate(x, n)` to evaluate, `.bound(x)` to train, or build it with `allow_estimate=True`",
            )
        return self.bound(value, self.num_draws)

    def bound(self, value: Tensor, num_draws: int = 1) -> Tensor:
        """Importance-weighted lower bound of the log-density, a training term in nats, shape ``[*sample, *batch]``.

        Args:
            value: Points ``[*sample, *batch, *event]``, of any dtype.
            num_draws: Draws of the guides for each datum.
        """
        return self.log_prob_estimate(value, num_draws).value

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1) -> Estimate:
        """Evaluate the log-density with its standard error: from below where the map has guides, else exactly.

        Args:
            value: Points ``[*sample, *batch, *event]``, of any dtype.
            num_draws: Draws of the guides for each datum.

        Raises:
            ValueError: no draws.
            DensityUnavailable: the base has no density.
        """
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        kind, x = self.log_prob_kind, self._checked(value)
        if kind == "exact":
            log_prob = self._exact_log_prob(x)
            return Estimate(log_prob, torch.zeros_like(log_prob), "exact")
        if kind == "none":
            biased = self.transform.contribution_kind == "biased"
            reason = "a log-determinant in its map is a biased estimate" if biased else "its base has none"
            raise DensityUnavailable(type(self).__name__, reason, "samples")
        if self.transform.draws_inverse and self.transform.contribution_kind == "exact" and self._base_kind == "exact":
            return log_mean_exp_estimate(self.log_weights(x, num_draws))
        return self._mean_estimate(x, num_draws)

    def log_weights(self, value: Tensor, num_draws: int = 1) -> Tensor:
        r"""Logarithms of the weights of draws of the guides, whose mean weight has the density as its expectation.

        Args:
            value: Points ``[*sample, *batch, *event]``.
            num_draws: Number n of draws.

        Returns:
            Shape ``[n, *sample, *batch]``, in nats.
        """
        batch = torch.broadcast_shapes(value.shape[: value.dim() - len(self.event_shape)], self.batch_shape)
        x = value.expand((*batch, *self.event_shape))  # every datum and member of the batch gets draws of its own
        z, contribution = self.transform._inverse_and_contribution(x, self._bound_context(), (num_draws,))
        return self._score(z, contribution).expand(num_draws, *batch)

    def rsample_and_log_prob(self, sample_shape: Sequence[int] = torch.Size()) -> tuple[Tensor, Tensor]:
        """Draw and score in one forward pass, where the density is exact.

        Returns:
            Draws ``[*sample_shape, *batch, *event]`` and their log-densities ``[*sample_shape, *batch]`` in nats.

        Raises:
            DensityUnavailable: the density is not exact.
        """
        if self.log_prob_kind != "exact":
            raise DensityUnavailable(
                type(self).__name__, "what its map forgets is integrated over", "`.log_prob_estimate(x, n)`"
            )
        z = self.base_dist.rsample(torch.Size(sample_shape))
        x, contribution = self.transform._forward_and_contribution(z, self._bound_context())
        return x, self._score(z, contribution)

    def _made(self, z: Tensor) -> Tensor:
        return self.transform._forward(z if z.is_floating_point() else z.to(self._dtype()), self._bound_context())

    def _exact_log_prob(self, value: Tensor) -> Tensor:
        def score(x: Tensor) -> Tensor:
            return self._score(*self.transform._inverse_and_contribution(x, self._bound_context()))

        support = cast(Constraint, self.support)
        if is_real(support) or self._checks_values(value):
            return score(value)
        return minus_infinity_outside(score, value, support, self.event_shape)

    def _mean_estimate(self, value: Tensor, num_draws: int) -> Estimate:
        """Averages of log-weights, where these are themselves estimates: an exponential would turn the bound around."""
        batch = torch.broadcast_shapes(value.shape[: value.dim() - len(self.event_shape)], self.batch_shape)
        repeated = value.expand(num_draws, *batch, *self.event_shape)
        return mean_estimate(self.log_weights(repeated, 1)[0], "lower" if self.log_prob_kind == "lower" else "unbiased")

    def _score(self, z: Tensor, contribution: Tensor) -> Tensor:
        base: Any = self._base if self._checks_values(z) else unvalidated(self._base)
        log_base: Tensor = scored(base, z)
        return log_base + sum_rightmost(contribution, self._extra)

    # ---------------------------------------------------------------------------------------------------------------- plumbing

    @property
    def _base_kind(self) -> LogProbKind:
        return log_prob_kind_of(self._base)

    def _checked(self, value: Tensor) -> Tensor:
        """The value in a floating-point dtype, its shape (and, while validating, its support) checked."""
        self._check_shape(value)
        self._bound_context()
        if self._checks_values(value):
            self._check_support(value)
        return value if value.is_floating_point() else value.to(self._dtype())

    def _bound_context(self) -> Tensor | None:
        """The context, its batch aligned with that of the map's events; an error if the map needs one and has none."""
        shape = self.transform.context_shape
        require_context(type(self).__name__, self.context, shape, ())
        if self.context is None or shape is None or not self._extra:
            return self.context
        return self.context.reshape(*self._context_batch(), *(1,) * self._extra, *shape)

    def _context_batch(self) -> torch.Size:
        if self.context is None:
            return torch.Size()
        return self.context.shape[: self.context.dim() - len(self.transform.context_shape or ())]

    def _base_batch(self, batch: torch.Size) -> torch.Size:
        shape = self.transform.inverse_shape((*batch, *self.event_shape))
        return shape[: len(shape) - len(self._base.event_shape)]

    def _dtype(self) -> torch.dtype:
        """The dtype of the map's tensors, or torch's default."""
        tensors = (tensor.dtype for tensor in held_tensors(self.transform) if tensor.is_floating_point())
        return next(tensors, torch.get_default_dtype())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base}, {self.transform})"
