r"""A flow as a learned law: from a context, if it takes one, to the distribution of :math:`x = f(z; c)`.

.. math:: p(x \mid c) = p_0(f^{-1}(x; c) \mid c)\, |\det J_{f^{-1}}(x; c)|

A ``TransformedDistribution`` is made anew wherever the law is asked for; this module holds what is trained, moved and saved.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.distributions import Distribution as TorchDistribution

from probgen.distributions._checks import ContextError
from probgen.distributions.bijectors import Bijector
from probgen.distributions.conditional import ConditionalDistribution
from probgen.distributions.transformed import TransformedDistribution

__all__ = ["TransformedLaw"]


class TransformedLaw(ConditionalDistribution):
    r"""The law of :math:`x = f(z; c)` with :math:`z \sim p_0(\cdot \mid c)`; calling it gives the distribution.

    Args:
        base: The base distribution, or a function (a module, say) from the context to the base distribution.
        bijector: The bijector; it takes a context of ``context_shape`` or none.
        context_shape: Trailing shape of the context; that of the bijector if it declares one. None: there is no context.
        allow_estimate: As in ``TransformedDistribution``: score by an estimate where the log-determinant is one.

    Raises:
        TypeError: ``bijector`` is no bijector.
        ContextError: the base is a function and nobody says what the context looks like, bijector and caller disagree, or
            nobody takes the context.

    References:
        Rezende, Mohamed (2015). Variational inference with normalizing flows. https://arxiv.org/abs/1505.05770

    Example:
        >>> import torch
        >>> from probgen.distributions import TransformedLaw, standard_normal
        >>> from probgen.flows import neural_spline_coupling
        >>> law = TransformedLaw(standard_normal(2), neural_spline_coupling(2, context_shape=(3,), layers=2))
        >>> law(torch.zeros(5, 3)).batch_shape
        torch.Size([5])
    """

    def __init__(
        self,
        base: TorchDistribution | Callable[[Tensor], TorchDistribution],
        bijector: Bijector,
        context_shape: tuple[int, ...] | None = None,
        *,
        allow_estimate: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(bijector, Bijector):
            raise TypeError(f"`bijector` must be a Bijector; got {type(bijector).__name__}.")
        declared = bijector.context_shape
        if declared is None and context_shape is not None and isinstance(base, TorchDistribution):
            raise ContextError("`context_shape` is given, but neither `base` nor `bijector` takes a context.")
        if declared is None and context_shape is None and not isinstance(base, TorchDistribution):
            raise ContextError("`context_shape` must be given: `base` is a function of it and the bijector takes none.")
        if declared is not None and context_shape is not None and declared != tuple(context_shape):
            raise ContextError(f"`context_shape` must be that of the bijector, {declared}; got {context_shape}.")
        self.context_shape = declared if declared is not None or context_shape is None else tuple(context_shape)
        self.base = base
        self.bijector = bijector
        self.allow_estimate = allow_estimate

    def _given(self, context: Tensor | None) -> TransformedDistribution:
        base, bijector = self.base, self.bijector
        if context is not None:
            base = base if isinstance(base, torch.distributions.Distribution) else base(context)
            bijector = bijector if bijector.context_shape is None else bijector.condition(context)
        return TransformedDistribution(base, bijector, allow_estimate=self.allow_estimate)  # type: ignore[arg-type]
