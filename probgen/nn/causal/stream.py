r"""One position of a causal network at a time: the same code as the parallel pass, with an explicit memory.

A causal layer is written for all positions at once, :math:`h^{(l)} = f_l(h^{(l-1)})` with :math:`h^{(l)}_t` a function of
:math:`h^{(l-1)}_{\le t}`, and called with a stream it is evaluated at one position :math:`t`: it gets the column
:math:`h^{(l-1)}_t`, takes what it needs of the columns before from its memory, and returns the column :math:`h^{(l)}_t`. A
network calls its layers in one order, so the memories are a tuple in that order: a value that can be kept, copied, forked and
resampled, never a buffer of a module. Layers that look at one position only (activations, ``Pointwise``, ``ChannelNorm``) work
on columns as they are. So the code of a network is written once, and its step is derived from its parallel pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import Tensor
from torch.utils import _pytree as pytree

from probgen.distributions.bijectors.incremental import State

__all__ = ["Stream"]

_Result = TypeVar("_Result")
_Memory = TypeVar("_Memory")


class Stream:
    """A position, and the memories of the layers that are called for it, in the order of the calls.

    Args:
        position: The position whose columns are computed.
        memory: The ``memory`` of the stream of the position before; None at the start.
        in_place: Whether layers may write into ``memory``; otherwise they get copies.

    Example:
        >>> import torch
        >>> from probgen.nn.causal import Stream
        >>> def running_sum(x, stream):  # a causal layer: parallel, and at one position
        ...     if stream is None:
        ...         return x.cumsum(-1)
        ...     return stream.update(lambda: torch.zeros_like(x), lambda total: (total + x, total + x))
        >>> x = torch.tensor([[1.0, 2.0, 4.0]])
        >>> first = Stream(0)
        >>> running_sum(x[:, 0], first), running_sum(x[:, 1], Stream(1, first.memory)), running_sum(x, None)
        (tensor([1.]), tensor([3.]), tensor([[1., 3., 7.]]))
    """

    def __init__(self, position: int, memory: Sequence[State] | None = None, *, in_place: bool = False) -> None:
        self.position = position
        self.in_place = in_place
        self._before = memory
        self._after: list[State] = []

    @property
    def memory(self) -> tuple[State, ...]:
        """What the layers remember after this position: a tree of tensors ``[N, ...]``."""
        return tuple(self._after)

    def update(
        self,
        start: Callable[[], _Memory],
        advance: Callable[[_Memory], tuple[_Memory, _Result]],
        *,
        writes: bool = False,
    ) -> _Result:
        """Let a layer use its memory and change it.

        Args:
            start: Makes the memory at the start, a tree of tensors ``[N, ...]``.
            advance: From the memory to the new one and a result.
            writes: Whether ``advance`` writes into the tensors of the memory instead of making new ones.
        """
        slot = self._slot(start)
        memory: _Memory = self._after[slot]
        if writes and not self.in_place and self._before is not None:
            memory = pytree.tree_map_only(Tensor, Tensor.clone, memory)
        self._after[slot], result = advance(memory)
        return result

    def remember(self, make: Callable[[], _Memory]) -> _Memory:
        """What ``make`` gave at the first position, such as the contribution of a context: a tree of tensors ``[N, ...]``."""
        return self._after[self._slot(make)]  # type: ignore[no-any-return]

    def prepare(self, make: Callable[[], _Memory]) -> _Memory:
        """What does not depend on the sequence, such as a masked weight; made once where the memory is private to a sweep."""
        if not self.in_place:
            return make()
        return self.remember(make)

    def every(self, period: int, run: Callable[[Stream], _Result]) -> _Result:
        """What ``run`` gives with a stream of its own, run at each multiple of ``period`` and remembered in between.

        Layers that look at whole rows above a pixel are run so, once a row.

        Args:
            period: How many positions share a result.
            run: Gets a stream at position ``position // period``; returns a tree of tensors ``[N, ...]``.
        """
        slot = self._slot(lambda: None)
        before = self._after[slot]
        if before is None or self.position % period == 0:
            inner = Stream(self.position // period, None if before is None else before[0], in_place=self.in_place)
            result = run(inner)
            self._after[slot] = (inner.memory, result)
        return self._after[slot][1]  # type: ignore[no-any-return]

    def _slot(self, start: Callable[[], State]) -> int:
        """The place of the layer that is being called; its memory stands there."""
        slot = len(self._after)
        self._after.append(start() if self._before is None else self._before[slot])
        return slot
