r"""Conditional distributions :math:`p(x \mid c)`: a family of distributions indexed by a context.

A conditional form is an ``nn.Module``, so that it owns its parameters; binding a context gives an ordinary, short-lived
distribution whose batch shape is the context's batch.
"""

from __future__ import annotations

from pyro.distributions.conditional import ConditionalDistribution as PyroConditionalDistribution
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.distributions.base import Distribution

__all__ = ["ConditionalDistribution"]


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
