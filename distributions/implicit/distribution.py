r"""Implicit distributions: draws :math:`x = g(z, c)`, :math:`z \sim p_0`, from a function that has no inverse and no density.

Their law is defined by how it is drawn from: the image of the noise's law under the generator. Expectations are averages over
draws; a density, where there is one, is an integral over all noise that the generator maps to a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.constraints import Constraint

from probgen.distributions._checks import require_context
from probgen.distributions._wrapping import located
from probgen.distributions.base import Distribution
from probgen.distributions.estimate import DensityUnavailable, LogProbKind
from probgen.distributions.events import batch_of, one_batch_dim

__all__ = ["ImplicitDistribution"]


class ImplicitDistribution(Distribution):
    r"""A distribution that can be drawn from but not scored.

    At a ``pyro.sample`` site it is expanded by plates like any other. ``log_prob`` raises: a value of zero would give a finite,
    wrong loss. To hide an unobserved site from an objective write ``.mask(False)`` or use ``pyro.poutine.block``.

    Args:
        base: Distribution of the noise :math:`z`.
        generator: A function (a module, say) from noise ``[n, *base_event]``, and a context ``[n, *context_shape]`` where one
            is declared, to draws ``[n, *event_shape]``; leading dimensions are flattened, so it may be a convolutional network.
        event_shape: Shape of one draw.
        context_shape: Trailing shape of the generator's second argument (``()`` for labels), or None: it has none.
        context: The context, ``[*batch, *context_shape]``; it may be bound later by ``condition``.
        support: Where the draws lie; the reals by default.
        validate_args: As in ``torch.distributions``.

    Raises:
        ContextError: the context has another shape.

    References:
        Mohamed, Lakshminarayanan (2016). Learning in implicit generative models. https://arxiv.org/abs/1610.03483

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitDistribution, standard_normal
        >>> d = ImplicitDistribution(standard_normal(4), torch.nn.Linear(4, 2), event_shape=(2,))
        >>> d.expand((3,)).sample((5,)).shape
        torch.Size([5, 3, 2])
    """

    log_prob_kind: LogProbKind = "none"

    def __init__(
        self,
        base: torch.distributions.Distribution,
        generator: Callable[..., Tensor],
        event_shape: Sequence[int],
        *,
        context_shape: Sequence[int] | None = None,
        context: Tensor | None = None,
        support: Constraint | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self._base = base
        self.generator = generator
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.context = context
        batch = base.batch_shape
        if context is not None:
            require_context(type(self).__name__, context, self.context_shape, batch)
            batch = torch.broadcast_shapes(batch, batch_of("`context`", context, self.context_shape or ()))
            self._base = base.expand(batch)
        rank = len(tuple(event_shape))
        self._support = constraints.independent(constraints.real, rank) if support is None else support
        super().__init__(batch, torch.Size(event_shape), validate_args=validate_args)

    @property
    def base_dist(self) -> torch.distributions.Distribution:
        """The noise, in the dtype and on the device of the generator where it leaves them open."""
        return located(self._base, self.generator)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the noise can be reparameterized."""
        return bool(self._base.has_rsample)

    @constraints.dependent_property
    def support(self) -> Constraint:
        """Where the draws lie."""
        return self._support

    def condition(self, context: Tensor) -> ImplicitDistribution:
        """Bind the context of a generator that takes one; the parameters stay shared.

        Args:
            context: Shape ``[*batch, *context_shape]``.

        Raises:
            ContextError: the generator takes no context, or one of another shape.
        """
        return ImplicitDistribution(self._base, self.generator, self.event_shape, context=context, **self._settings())

    def with_base(self, base: torch.distributions.Distribution) -> ImplicitDistribution:
        """The law of the same generator, and context, under other noise.

        Args:
            base: Noise of the same event shape.

        Raises:
            ValueError: the noise has another event shape.
        """
        if base.event_shape != self._base.event_shape:
            raise ValueError(f"`base` must have event shape {tuple(self._base.event_shape)}; got {tuple(base.event_shape)}.")
        return ImplicitDistribution(base, self.generator, self.event_shape, context=self.context, **self._settings())

    def _settings(self) -> dict[str, Any]:
        return {"context_shape": self.context_shape, "support": self._support, "validate_args": self._validate_args}

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Self:
        """The same law with another batch shape; the generator is shared."""
        new = self._expanded(batch_shape, _instance)
        new._base = self._base.expand(torch.Size(batch_shape))
        return new

    def sample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]`` without gradients."""
        with torch.no_grad():
            return self.generate(self.base_dist.sample(torch.Size(sample_shape)))

    def rsample(self, sample_shape: Sequence[int] = torch.Size()) -> Tensor:
        """Draw ``[*sample_shape, *batch, *event]``, differentiable in the generator's parameters."""
        return self.generate(self.base_dist.rsample(torch.Size(sample_shape)))

    def generate(self, noise: Tensor) -> Tensor:
        """What the generator makes of given noise.

        Args:
            noise: Shape ``[*sample, *batch, *base_event]``.

        Returns:
            Shape ``[*sample, *batch, *event]``.

        Raises:
            ValueError: the noise or what the generator returns has another shape.
            ContextError: the context is not bound yet.
        """
        lead = batch_of("`noise`", noise, self._base.event_shape)
        flat = noise if len(lead) == 1 else noise.reshape(lead.numel(), *self._base.event_shape)
        if self.context is None:
            require_context(type(self).__name__, None, self.context_shape, self.batch_shape)
            drawn = self.generator(flat)
        else:
            drawn = self.generator(flat, one_batch_dim(self.context, lead, self.context_shape or ()))
        if drawn.shape != (lead.numel(), *self.event_shape):
            raise ValueError(
                f"`generator` must return shape {(lead.numel(), *self.event_shape)}; it returned {tuple(drawn.shape)}."
            )
        return drawn if len(lead) == 1 else drawn.reshape(*lead, *self.event_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Not available.

        Raises:
            DensityUnavailable: always.
        """
        raise DensityUnavailable(
            type(self).__name__,
            "an implicit distribution can only be drawn from",
            "`probgen.infer.Adversarial`, or `.mask(False)`",
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._base}, event_shape={tuple(self.event_shape)})"
