r"""Incremental evaluation: the parameters of an autoregressive law, one topological level after another.

An autoregressive network gives the parameters :math:`\theta_i(x_{\mathrm{pa}(i)})` of every coordinate in one parallel pass.
Sampling, and the slow direction of an autoregressive bijector, need them in order: coordinate :math:`i` is known only after
its parents. Coordinates whose parents are all known form a *level*; :math:`k` runs over the levels,

.. math::

    (s_0, \theta_{(0)}) = \mathrm{init}(c), \qquad (s_{k+1}, \theta_{(k+1)}) = \mathrm{step}(s_k, x_{(k)}).

The state is a value, a tree of tensors whose leading dimensions are the batch: it can be kept, forked and resampled, and two
states never mix. That the parallel pass and the steps agree is a law (``probgen.distributions.testing``).

A network sees C numbers of each coordinate (a code as a unit vector, the colors of a pixel), one by default, those of a
coordinate next to each other: values have the shape ``[*batch, D * C]``, parameters ``[*batch, D, P]``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

__all__ = ["Draw", "IncrementalNetwork", "State", "fork"]

State = Any
"""A tree (tuples, dicts) of tensors ``[*batch, ...]``."""

Draw = Callable[[int, int, Tensor], Tensor]
"""``draw(start, stop, params)`` gets the parameters ``[*batch, stop - start, P]`` of the coordinates ``start:stop`` in level
order and returns the values ``[*batch, (stop - start) * C]`` that the network sees there."""


class IncrementalNetwork(nn.Module):
    r"""A network that gives the parameters of all coordinates in parallel, or level after level (abstract).

    A subclass writes ``forward(values, context)``: ``[*batch, D * C]`` to ``[*batch, D, P]``; ``levels``, ``init_state`` and
    ``step``. It may override ``sweep`` where the whole sequence is cheaper than its steps.

    Attributes:
        features: How many coordinates, :math:`D`.
        num_inputs: How many numbers the network sees of a coordinate, :math:`C`.
        num_outputs: How many numbers it gives for a coordinate, :math:`P`.
        context_shape: Trailing shape of the context, or None if it takes none.

    Example:
        >>> import torch
        >>> from probgen.nn import MADE
        >>> network = MADE(features=3, num_outputs=2, hidden=(8,))
        >>> state, params = network.init_state((5,))
        >>> state, params = network.step(state, torch.zeros(5, 1))
        >>> torch.allclose(params, network(torch.zeros(5, 3))[:, 1:2])
        True
    """

    features: int
    num_inputs: int = 1
    num_outputs: int
    context_shape: tuple[int, ...] | None = None

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The coordinates of each topological level, first level first; a partition of ``range(features)``."""
        raise NotImplementedError(f"{type(self).__name__} does not define `levels`.")

    def init_state(self, batch_shape: Sequence[int], context: Tensor | None = None) -> tuple[State, Tensor]:
        """Start: the empty state and the parameters of level 0.

        Args:
            batch_shape: Batch shape of the values to come.
            context: Context ``[*batch, *context_shape]`` (broadcastable), if the network takes one.

        Returns:
            The state, and parameters ``[*batch, n_0, P]`` where ``n_0`` is the size of level 0.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `init_state`.")

    def step(self, state: State, values: Tensor) -> tuple[State, Tensor]:
        """Take the values of the current level, give the parameters of the next one.

        Args:
            state: What ``init_state`` or the previous step returned; it is not changed.
            values: Values ``[*batch, n_k * C]`` of level ``k``.

        Returns:
            The next state, and parameters ``[*batch, n_{k+1}, P]`` (with ``n_{k+1} = 0`` after the last level).
        """
        raise NotImplementedError(f"{type(self).__name__} does not define `step`.")

    def sweep(self, draw: Draw, batch_shape: Sequence[int], context: Tensor | None = None) -> None:
        """Run through all levels: ``draw`` gets each level's parameters and returns the values that the network sees.

        Args:
            draw: Called once a level, in order; see ``Draw``.
            batch_shape: Batch shape of the values.
            context: Context ``[*batch, *context_shape]``, if the network takes one.
        """
        state, params = self.init_state(batch_shape, context)
        start = 0
        for level in self.levels[:-1]:
            stop = start + len(level)
            state, params = self.step(state, draw(start, stop, params))
            start = stop
        draw(start, start + len(self.levels[-1]), params)


def fork(state: State, index: Tensor, batch_dim: int = 0) -> State:
    """Select or repeat members of a batch of states, as resampling in sequential Monte Carlo does.

    Args:
        state: A tree of tensors ``[*batch, ...]``.
        index: Which members, integers ``[n]``.
        batch_dim: Which batch dimension they are members along.

    Example:
        >>> import torch
        >>> from probgen.distributions.bijectors.incremental import fork
        >>> fork((torch.tensor([[1.0], [2.0]]),), torch.tensor([1, 1, 0]))
        (tensor([[2.],
                [2.],
                [1.]]),)
    """
    return pytree.tree_map_only(Tensor, lambda leaf: torch.index_select(leaf, batch_dim, index), state)
