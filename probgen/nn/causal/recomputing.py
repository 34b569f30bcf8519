r"""Any autoregressive network, also one that only has a parallel pass: a step runs it again.

A sequence of D positions costs D passes, :math:`O(D)` times what a network with steps of its own costs; that is what makes
this the yardstick of incremental evaluation, and the way to draw from a network that somebody else wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from probgen.distributions._checks import require_context
from probgen.distributions.bijectors.incremental import IncrementalNetwork
from probgen.nn.masks import checked_order

__all__ = ["RecomputingNetwork"]


class RecomputingNetwork(IncrementalNetwork):
    """An incremental network from a module with a parallel pass; each step runs it on all values seen so far.

    Args:
        module: From values ``[*batch, D * C]`` (and a context, if there is one) to parameters ``[*batch, D, P]``, those of a
            coordinate from the coordinates before it. It is not checked here: see
            ``probgen.distributions.testing.levels_are_parallel``.
        features: How many coordinates, D.
        num_outputs: How many numbers a coordinate gets, P.
        num_inputs: How many numbers the module sees of a coordinate, C.
        order: Which coordinate comes first, second, ...; None for their own order.
        context_shape: Trailing shape of the context, or None.

    Raises:
        ValueError: ``order`` is no permutation of the coordinates.

    Example:
        >>> import torch
        >>> from probgen.nn import MADE
        >>> from probgen.nn.causal import RecomputingNetwork
        >>> made = MADE(3, 2, hidden=(8,))
        >>> network = RecomputingNetwork(made, features=3, num_outputs=2)
        >>> state, params = network.init_state((5,))
        >>> torch.allclose(params, made.init_state((5,))[1])
        True
    """

    def __init__(
        self,
        module: nn.Module,
        features: int,
        num_outputs: int,
        *,
        num_inputs: int = 1,
        order: Sequence[int] | None = None,
        context_shape: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.module = module
        self.features, self.num_inputs, self.num_outputs = features, num_inputs, num_outputs
        self.context_shape = None if context_shape is None else tuple(context_shape)
        self.order = checked_order(order, features)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """One coordinate a level."""
        return tuple((index,) for index in self.order)

    def forward(self, values: Tensor, context: Tensor | None = None) -> Tensor:
        """The parallel pass of the module."""
        require_context(type(self).__name__, context, self.context_shape, values.shape[:-1])
        params: Tensor = self.module(values) if context is None else self.module(values, context)
        return params

    def init_state(
        self, batch_shape: Sequence[int], context: Tensor | None = None
    ) -> tuple[tuple[Tensor, Tensor | None, int], Tensor]:
        """The values so far (zeros), the context and the level; and the parameters of the first coordinate."""
        reference = next(self.module.parameters(), torch.zeros(()))
        if context is not None:
            context = context.expand(*batch_shape, *(self.context_shape or ()))
        values = reference.new_zeros(*batch_shape, self.features * self.num_inputs)
        return (values, context, 0), self._at_level(values, context, 0)

    def step(
        self, state: tuple[Tensor, Tensor | None, int], values: Tensor
    ) -> tuple[tuple[Tensor, Tensor | None, int], Tensor]:
        """Take the values ``[*batch, C]`` of a coordinate, give the parameters ``[*batch, 1, P]`` of the next."""
        seen, context, level = state
        start = self.order[level] * self.num_inputs
        seen = seen.clone()
        seen[..., start : start + self.num_inputs] = values.to(seen.dtype)
        if level + 1 == self.features:
            return (seen, context, level + 1), seen.new_zeros(*seen.shape[:-1], 0, self.num_outputs)
        return (seen, context, level + 1), self._at_level(seen, context, level + 1)

    def _at_level(self, seen: Tensor, context: Tensor | None, level: int) -> Tensor:
        index = self.order[level]
        return self(seen, context)[..., index : index + 1, :]  # type: ignore[no-any-return]
