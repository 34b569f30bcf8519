r"""The push-forward of a base distribution by a bijector.

If :math:`z \sim p_0` and :math:`x = f(z)`, then by change of variables

.. math::

    \log p(x) = \log p_0(f^{-1}(x)) + \log|\det J_{f^{-1}}(x)|,

which one inverse pass evaluates; a draw and its own log-density cost one forward pass. The derivation stands in
``docs/derivations/change-of-variables.md``.

Pyro draws at a site and scores that very tensor later. The pair :math:`(z, \log|\det J_f(z)|)` of such a draw is held on the
distribution, a short-lived object, until it is scored once; a fingerprint of the bijector's tensors discards it if a parameter
changed in between. Nothing is ever held on the bijector.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self, cast

import torch
from torch import Tensor
from torch.distributions import Transform, constraints
from torch.distributions import TransformedDistribution as TorchTransformedDistribution
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_event_shape, versions_kept
from probgen.distributions._outside import minus_infinity_outside
from probgen.distributions._resolve import resolved
from probgen.distributions._shapes import fitted, transformed_shapes
from probgen.distributions._wrapping import (
    held_tensors,
    integral_transform,
    is_affine,
    located,
    log_prob_kind_of,
    unvalidated,
)
from probgen.distributions.base import Distribution
from probgen.distributions.bijectors import Bijector, Compose, as_bijector
from probgen.distributions.constraints import is_real
from probgen.distributions.estimate import DensityUnavailable, Estimate, LogProbKind, mean_estimate
from probgen.distributions.numerics.stable import sum_rightmost

__all__ = ["TransformedDistribution"]


class _Draw(NamedTuple):
    """One draw that waits to be scored."""

    value: Tensor
    z: Tensor
    fldj: Tensor
    fingerprint: tuple[object, ...]


class TransformedDistribution(Distribution, TorchTransformedDistribution):
    r"""The law of :math:`x = f(z)`, :math:`z \sim p_0`.

    The batch shape is that of the base broadcast with those of the bijector's parameters and bound context; a base with more
    event dimensions than the bijector consumes keeps them, one with fewer gives up batch dimensions.

    Args:
        base: The base distribution :math:`p_0`, any torch or Pyro distribution.
        bijector: The bijector :math:`f`, or a sequence of bijectors or torch transforms, applied left to right.
        allow_estimate: Let ``log_prob`` return an estimate where the bijector's log-determinant is one, drawn afresh at every
            call; ``log_prob_estimate`` gives an unbiased one with its standard error without being asked to.
        validate_args: As in ``torch.distributions``.

    Raises:
        ValueError: the base is discrete, or its shape does not fit the bijector.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

    Example:
        >>> import torch
        >>> from probgen.distributions import TransformedDistribution, standard_normal
        >>> from probgen.distributions.bijectors import Affine, Exp
        >>> log_normal = TransformedDistribution(standard_normal(), Affine(0.0, 0.5) >> Exp())
        >>> log_normal.log_prob(torch.tensor(1.0)), log_normal.support
        (tensor(-0.2258), GreaterThan(lower_bound=0.0))
    """

    _draw: _Draw | None = None

    def __init__(
        self,
        base: torch.distributions.Distribution,
        bijector: Transform | Sequence[Transform],
        *,
        allow_estimate: bool = False,
        validate_args: bool | None = None,
    ) -> None:
        self.allow_estimate = allow_estimate
        self.bijector: Bijector = resolved(as_bijector(bijector) if isinstance(bijector, Transform) else Compose(*bijector))
        if cast(Constraint, base.support).is_discrete:
            raise ValueError(f"`base` must have a density; {type(base).__name__} is discrete, so no log-determinant applies.")
        shapes = transformed_shapes(base, self.bijector)
        self._base = fitted(base, shapes, self.bijector.domain.event_dim)
        super(TorchTransformedDistribution, self).__init__(shapes.batch, shapes.event, validate_args=validate_args)

    # ------------------------------------------------------------------------------------------------------- what it is made of

    @property
    def base_dist(self) -> torch.distributions.Distribution:  # type: ignore[override]
        """The base distribution, in the dtype and on the device of the bijector where it leaves them open."""
        return located(self._base, self.bijector)

    @property
    def transforms(self) -> list[Transform]:  # type: ignore[override]
        """The bijector, as the list that torch's class holds."""
        return [self.bijector]

    @property
    def log_prob_kind(self) -> LogProbKind:  # type: ignore[override]
        """That of the base; for an exact base "unbiased" where the log-determinant is so, "none" where it is biased."""
        kind, own = log_prob_kind_of(self._base), self.bijector.log_det_kind
        if own == "biased":
            return "none"
        return own if kind == "exact" else kind

    @property
    def context_shape(self) -> tuple[int, ...] | None:
        """Trailing shape of the context that the bijector still needs, or None."""
        return self.bijector.context_shape

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base can be reparameterized."""
        return bool(self._base.has_rsample)

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> Constraint:
        """The codomain of the bijector, over the event."""
        codomain = self.bijector.codomain
        extra = len(self.event_shape) - codomain.event_dim
        return constraints.independent(codomain, extra) if extra else codomain

    def condition(self, context: Tensor) -> TransformedDistribution:
        """Bind the context of a bijector that takes one.

        Args:
            context: Shape ``[*context_batch, *context_shape]``; its batch broadcasts with the batch shape.

        Raises:
            ContextError: the bijector takes no context, or one of another shape.
        """
        bijector = self.bijector.condition(context)
        return TransformedDistribution(
            self._base, bijector, allow_estimate=self.allow_estimate, validate_args=self._validate_args
        )

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; parameters are shared."""
        shape = self.bijector.inverse_shape((*batch_shape, *self.event_shape))
        new = self._expanded(batch_shape, _instance)
        new._draw = None
        new._base = self._base.expand(shape[: len(shape) - len(self._base.event_shape)])
        return new

    # --------------------------------------------------------------------------------------------------------- drawing, scoring

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return cast(Tensor, self.bijector(self.base_dist.sample(torch.Size(sample_shape))))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in all parameters."""
        return cast(Tensor, self.bijector(self.base_dist.rsample(torch.Size(sample_shape))))

    def rsample_and_log_prob(self, sample_shape: Sequence[int] = torch.Size()) -> tuple[Tensor, Tensor]:
        """Draw and score in one forward pass.

        Returns:
            Draws ``[*sample_shape, *batch, *event]`` and their log-densities ``[*sample_shape, *batch]`` in nats.
        """
        self._require_scored()
        z = self.base_dist.rsample(torch.Size(sample_shape))
        value, fldj = self.bijector.forward_and_log_det(z)
        return value, self._score(z, -fldj)

    def __call__(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw as ``pyro.sample`` does; scoring the same tensor next costs no inverse pass."""
        self._draw = None
        if not self.has_rsample:
            return self.sample(sample_shape)
        fingerprint = _fingerprint(self.bijector) if self._is_scored() else None
        if fingerprint is None:
            return self.rsample(sample_shape)
        z = self.base_dist.rsample(torch.Size(sample_shape))
        value, fldj = self.bijector.forward_and_log_det(z)
        self._draw = _Draw(value, z, fldj, (*fingerprint, value._version))
        return value

    def log_prob(self, value: Tensor) -> Tensor:
        """Log-density in nats, shape ``[*sample, *batch]``, from one inverse pass.

        Args:
            value: Points ``[*sample, *batch, *event]``.

        Raises:
            ValueError: a wrong event shape; while validating, also a value outside the support (else minus infinity).
            DensityUnavailable: the log-determinant is only estimated, and the object was built without ``allow_estimate=True``.
        """
        self._require_scored()
        draw, self._draw = self._draw, None
        if draw is not None and draw.value is value and self._is_fresh(draw):
            return self._score(draw.z, -draw.fldj)
        return self._evaluated(value)

    def log_prob_estimate(self, value: Tensor, num_draws: int = 1) -> Estimate:
        """Evaluate the log-density with its standard error; where it is exact, that is zero.

        Args:
            value: Points ``[*sample, *batch, *event]``.
            num_draws: Independent estimates of the log-determinant for each point, averaged.

        Raises:
            DensityUnavailable: the base offers no estimate.
            ValueError: no draws.
        """
        if self.log_prob_kind != "unbiased" or self.bijector.log_det_kind != "unbiased":
            return super().log_prob_estimate(value, num_draws)
        if num_draws < 1:
            raise ValueError(f"`num_draws` must be at least 1; got {num_draws}.")
        self._check_shape(value)
        batch = torch.broadcast_shapes(value.shape[: value.dim() - len(self.event_shape)], self.batch_shape)
        return mean_estimate(self._evaluated(value.expand(num_draws, *batch, *self.event_shape)), "unbiased")

    def _is_scored(self) -> bool:
        return self.allow_estimate or self.bijector.log_det_kind == "exact"

    def _require_scored(self) -> None:
        if not self._is_scored() and self.bijector.log_det_kind == "biased":
            raise DensityUnavailable(
                type(self).__name__,
                "the log-determinant of its bijector is a biased estimate",
                "an unbiased one to evaluate, or build it with `allow_estimate=True` to train",
            )
        if not self._is_scored():
            raise DensityUnavailable(
                type(self).__name__,
                "the log-determinant of its bijector is an unbiased estimate",
                "`.log_prob_estimate(x, n)` to evaluate, or build it with `allow_estimate=True` to train",
            )

    def _evaluated(self, value: Tensor) -> Tensor:
        """The log-density of a value that was not drawn here."""
        self._check_shape(value)
        support = self.support
        if is_real(support):
            return self._score(*self.bijector.inverse_and_log_det(value))
        if self._checks_values(value):
            self._check_support(value)
            return self._score(*self.bijector.inverse_and_log_det(value))
        require_event_shape("value", value, len(self.event_shape))
        return minus_infinity_outside(
            lambda inside: self._score(*self.bijector.inverse_and_log_det(inside)), value, support, self.event_shape
        )

    def _score(self, z: Tensor, ildj: Tensor) -> Tensor:
        """Log-density from the base value and the log-determinant, whose events may be smaller than ours."""
        ildj = sum_rightmost(ildj, len(self.event_shape) - self.bijector.codomain.event_dim)
        if z.numel() == 0:  # torch's Independent fails on an empty batch
            return ildj
        base = self._base if self._checks_values(z) else unvalidated(self._base)
        return base.log_prob(z) + ildj

    def _is_fresh(self, draw: _Draw) -> bool:
        fingerprint = _fingerprint(self.bijector)
        return fingerprint is not None and (*fingerprint, draw.value._version) == draw.fingerprint

    def probability_integral_transform(self, value: Tensor) -> Tensor | None:
        """Map data through the inverse and the base's distribution functions: uniform if the data come from this law."""
        z = self.bijector.inverse(value)
        return integral_transform(self.base_dist, z)

    # ------------------------------------------------------------------------------------------------------------ closed forms

    def cdf(self, value: Tensor) -> Tensor:
        """Distribution function, for scalar events."""
        self._require_scalar("cdf")
        uniform = self.base_dist.cdf(self.bijector.inverse(value))
        return uniform if self.bijector.sign > 0 else 1 - uniform

    def icdf(self, value: Tensor) -> Tensor:
        """Quantile function, for scalar events."""
        self._require_scalar("icdf")
        uniform = value if self.bijector.sign > 0 else 1 - value
        return cast(Tensor, self.bijector(self.base_dist.icdf(uniform)))

    def entropy(self) -> Tensor:
        r"""Differential entropy :math:`H(p_0) + \log|\det J_f|`, where the log-determinant is constant.

        Raises:
            NotImplementedError: the log-determinant depends on the value.
        """
        if not self.bijector.constant_log_det:
            raise NotImplementedError(
                f"the entropy of {type(self).__name__} is known only if the log-determinant is constant; "
                "use the mean of `-log_prob` over draws."
            )
        z = self.base_dist.sample()
        fldj = sum_rightmost(
            self.bijector.forward_log_det_jacobian(z), len(self.event_shape) - self.bijector.codomain.event_dim
        )
        return self.base_dist.entropy() + fldj

    @property
    def mean(self) -> Tensor:
        """The image of the base's mean, for affine bijectors.

        Raises:
            NotImplementedError: the bijector is not known to be affine.
        """
        if not is_affine(self.bijector):
            raise NotImplementedError(
                f"the mean of {type(self).__name__} is known only for affine bijectors; average draws instead."
            )
        return cast(Tensor, self.bijector(self.base_dist.mean))

    def _require_scalar(self, method: str) -> None:
        if self.event_shape or self._base.event_shape:
            raise NotImplementedError(
                f"`{method}` needs scalar events; {type(self).__name__} has event shape {tuple(self.event_shape)}."
            )

    # ---------------------------------------------------------------------------------------------------------------- plumbing

    def __getstate__(self) -> dict[str, object]:
        """What copying and pickling see: everything but a draw that waits to be scored."""
        return {name: value for name, value in vars(self).items() if name != "_draw"}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base}, {self.bijector})"


def _fingerprint(bijector: Bijector) -> tuple[object, ...] | None:
    """What a held draw depends on: the identity and version of every tensor; None where versions are not kept.

    Fused optimizers leave a parameter's version as it is, so its gradient counts too: a step needs one, and a backward pass
    makes or changes it. What stays unseen: a write through ``tensor.data``, and a fused step on gradients older than the draw.
    """
    if not versions_kept():
        return None
    tensors = list(held_tensors(bijector))
    if any(tensor.is_inference() for tensor in tensors):
        return None
    place = id if torch._C._len_torch_dispatch_stack() > 0 else Tensor.data_ptr  # a recorded tensor may have no memory
    state = tuple((id(tensor), place(tensor), tensor._version) for tensor in tensors)
    gradients = [tensor.grad for tensor in tensors if tensor.is_leaf]
    counts = tuple(None if gradient is None else (id(gradient), gradient._version) for gradient in gradients)
    return (*state, counts, torch.is_grad_enabled(), bijector.training)
