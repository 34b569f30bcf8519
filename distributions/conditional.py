r"""Conditional distributions :math:`p(x \mid c)`: a family of distributions indexed by a context.

A conditional form is an ``nn.Module``, so that it owns its parameters; binding a context gives an ordinary, short-lived
distribution whose batch shape is the context's batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from pyro.distributions.conditional import ConditionalDistribution as PyroConditionalDistribution
from torch import Tensor, nn
from torch.distributions import Distribution as TorchDistribution

from probgen.distributions._checks import ContextError, require_context
from probgen.distributions.base import Distribution
from probgen.distributions.bijectors import Bijector
from probgen.distributions.transformed import TransformedDistribution

__all__ = ["ConditionalDistribution", "ConditionalTransformedDistribution"]


class ConditionalDistribution(nn.Module, PyroConditionalDistribution):
    r"""A family :math:`p(x \mid c)` (abstract).

    A subclass sets ``context_shape`` and writes ``_given(context)``, which returns the distribution at a checked context.

    Attributes:
        context_shape: Trailing shape of the context, or None for a family with one member.

    Example:
        >>> import torch
        >>> from probgen.distributions import ConditionalDistribution, TransformedDistribution, standard_normal
        >>> from probgen.distributions.bijectors import Shift
        >>> class Moved(ConditionalDistribution):
        ...     context_shape = (2,)
        ...
        ...     def _given(self, context):
        ...         return TransformedDistribution(standard_normal(2), Shift(context))
        >>> Moved()(torch.zeros(5, 2)).batch_shape
        torch.Size([5])
    """

    context_shape: tuple[int, ...] | None = None

    def _given(self, context: Tensor | None) -> Distribution:
        raise NotImplementedError(f"{type(self).__name__} does not define `_given`.")

    def forward(self, context: Tensor | None = None) -> Distribution:
        """The distribution at a context ``[*batch, *context_shape]``.

        Raises:
            ContextError: the context is missing, not wanted, or has another shape.
        """
        require_context(type(self).__name__, context, self.context_shape, ())
        return self._given(context)

    def condition(self, context: Tensor) -> Distribution:
        """The distribution at a context; Pyro's name for calling the object."""
        return self(context)  # type: ignore[no-any-return]


class ConditionalTransformedDistribution(ConditionalDistribution):
    r"""The law of :math:`x = f(z; c)` with :math:`z \sim p_0(\cdot \mid c)`.

    Args:
        base: The base distribution, or a function (a module, say) from the context to the base distribution.
        bijector: The bijector; it takes a context of ``context_shape`` or none.
        context_shape: Trailing shape of the context; that of the bijector if it declares one.

    Raises:
        ContextError: neither the bijector nor the caller says what the context looks like, or the two disagree.

    Example:
        >>> import torch
        >>> from probgen.distributions import ConditionalTransformedDistribution
        >>> from probgen.distributions.bijectors import Affine
        >>> p = ConditionalTransformedDistribution(
        ...     lambda c: torch.distributions.Normal(c, 1.0), Affine(1.0, 2.0), context_shape=()
        ... )
        >>> p(torch.zeros(5)).batch_shape
        torch.Size([5])
    """

    def __init__(
        self,
        base: TorchDistribution | Callable[[Tensor], TorchDistribution],
        bijector: Bijector,
        context_shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__()
        declared = bijector.context_shape
        if declared is None and context_shape is None:
            raise ContextError("`context_shape` must be given: the bijector takes no context.")
        if declared is not None and context_shape is not None and declared != context_shape:
            raise ContextError(f"`context_shape` must be that of the bijector, {declared}; got {context_shape}.")
        self.context_shape = context_shape if declared is None else declared
        self.base = base
        self.bijector = bijector

    def _given(self, context: Tensor | None) -> Distribution:
        if context is None:
            raise ContextError(f"{type(self).__name__} needs a context.")
        base = self.base if isinstance(self.base, torch.distributions.Distribution) else self.base(context)
        bijector = self.bijector if self.bijector.context_shape is None else self.bijector.condition(context)
        return TransformedDistribution(base, bijector)
