r"""A generator and its noise: from a context to the implicit law of an event.

.. math:: x = g_\theta(z, c), \qquad z \sim p_0

As a module it can be trained, saved and moved: what ``AutoregressiveLaw`` is for laws that are scored, this is for laws that
are only drawn from. ``probgen.infer.Adversarial`` trains it.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributions.constraints import Constraint

from probgen.distributions.implicit.distribution import ImplicitDistribution

__all__ = ["ImplicitLaw"]


class ImplicitLaw(nn.Module):
    r"""A learned implicit law; calling it gives the distribution.

    Args:
        base: Distribution of the noise :math:`z`.
        generator: A module from noise ``[n, *base_event]``, and a context ``[n, *context_shape]`` where one is declared, to
            draws ``[n, *event_shape]``.
        event_shape: Shape of one draw.
        context_shape: Trailing shape of the context (``()`` for labels), or None: the generator takes none.
        support: Where the draws lie; the reals by default.

    Raises:
        TypeError: ``generator`` is not a module.

    References:
        Mohamed, Lakshminarayanan (2016). Learning in implicit generative models. https://arxiv.org/abs/1610.03483

    Example:
        >>> import torch
        >>> from probgen.distributions import ImplicitLaw, standard_normal
        >>> law = ImplicitLaw(standard_normal(4), torch.nn.Linear(4, 2), event_shape=(2,))
        >>> law().sample((5,)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        base: torch.distributions.Distribution,
        generator: nn.Module,
        event_shape: Sequence[int],
        *,
        context_shape: Sequence[int] | None = None,
        support: Constraint | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(generator, nn.Module):
            raise TypeError(f"`generator` must be a torch.nn.Module; got {type(generator).__name__}.")
        self.base = base
        self.generator = generator
        self.event_shape = tuple(event_shape)
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.support = support

    def forward(self, context: Tensor | None = None) -> ImplicitDistribution:
        """The law of an event, with the batch shape of the context.

        Args:
            context: Shape ``[*batch, *context_shape]``, if the generator takes one.

        Raises:
            ContextError: the context has another shape.
        """
        return ImplicitDistribution(
            self.base,
            self.generator,
            self.event_shape,
            context_shape=self.context_shape,
            context=context,
            support=self.support,
        )
