"""The stream of batches: any number of passes over the data, at a position that can be saved and found again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any

import torch
from torch import Tensor

from probgen.infer.randomness import random_state, restore_random_state

__all__ = ["PASS_END", "Stream", "is_stateful", "shard", "split_batch"]

PASS_END = object()
"""What a stream yields after the last batch of each pass."""


class Stream:
    """Batches of an iterable, pass after pass, with ``PASS_END`` after each pass.

    The position is exact: data with ``state_dict`` and ``load_state_dict`` (as torchdata's loaders) are asked for it; any
    other iterable is started again from the random state in which the pass began, and fast-forwarded.

    Args:
        data: The iterable of batches; also one that can be passed only once.
        epochs: How many passes at most; None for no limit.

    Example:
        >>> from probgen.infer.stream import PASS_END, Stream
        >>> [batch if batch is not PASS_END else "end" for batch in Stream([1, 2], epochs=2)]
        [1, 2, 'end', 1, 2, 'end']
    """

    def __init__(self, data: Iterable[Any], epochs: int | None) -> None:
        self.data = data
        self.epochs = epochs
        self.epoch = 0
        self.position = 0
        self._start: dict[str, Any] | None = None
        self._resumed: dict[str, Any] | None = None

    def __iter__(self) -> Iterator[Any]:
        begun = False
        while self.epochs is None or self.epoch < self.epochs:
            batches = self._begin()
            empty = self.position == 0
            for batch in batches:
                empty = False
                self.position += 1
                yield batch
            if empty:
                if self.epoch == 0 and not begun:  # data that stood at the end of their own pass, such as `Batches`
                    begun = True
                    continue
                if self.epoch == 0:
                    raise ValueError("`data` yielded no batch.")
                return  # an iterator that can be passed only once
            self.epoch, self.position = self.epoch + 1, 0
            yield PASS_END

    @property
    def num_batches(self) -> int | None:
        """How many batches there are in all passes; None if the data do not say or there is no limit."""
        return len(self.data) * self.epochs if self.epochs is not None and isinstance(self.data, Sized) else None

    def state_dict(self) -> dict[str, Any]:
        """Return the position: pass, batch within it, and how to get there."""
        state: dict[str, Any] = {"epoch": self.epoch, "position": self.position, "start": self._start}
        if is_stateful(self.data):
            state["data"] = self.data.state_dict()  # type: ignore[attr-defined]
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go to a saved position; takes effect when iteration starts."""
        self.epoch, self.position, self._start = state["epoch"], state["position"], state["start"]
        self._resumed = state

    def _begin(self) -> Iterator[Any]:
        _set_epoch(self.data, self.epoch)
        resumed, self._resumed = self._resumed, None
        if resumed is not None and "data" in resumed and is_stateful(self.data):
            self.data.load_state_dict(resumed["data"])  # type: ignore[attr-defined]
            return iter(self.data)
        if resumed is None or not self.position:
            self._start = random_state()
            return iter(self.data)
        return self._fast_forward()

    def _fast_forward(self) -> Iterator[Any]:
        now = random_state()
        if self._start is not None:
            restore_random_state(self._start)
        batches = iter(self.data)
        for k in range(self.position):
            if next(batches, PASS_END) is PASS_END:
                raise ValueError(f"cannot resume after batch {self.position} of a pass: `data` now yields only {k}.")
        restore_random_state(now)
        return batches


def split_batch(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Turn a batch into call arguments: a tuple or list into positional, a dict into keyword ones, all else into one.

    Args:
        batch: What the data yielded.

    Example:
        >>> from probgen.infer.stream import split_batch
        >>> split_batch((1, 2)), split_batch({"x": 1}), split_batch(5)
        (((1, 2), {}), ((), {'x': 1}), ((5,), {}))
    """
    if isinstance(batch, (tuple, list)):
        return tuple(batch), {}
    if isinstance(batch, dict):
        return (), batch
    return (batch,), {}


def shard(batch: Any, rank: int, world_size: int) -> Any:
    """Return this process's part of every tensor in a batch: consecutive rows, the same number on every rank.

    Args:
        batch: A tree of tensors whose first axis is the batch.
        rank: Which process.
        world_size: How many processes.

    Raises:
        ValueError: a first axis that is not a multiple of ``world_size``: unequal parts would bias the averaged gradient.

    Example:
        >>> import torch
        >>> from probgen.infer.stream import shard
        >>> shard(torch.arange(4), rank=1, world_size=2)
        tensor([2, 3])
    """
    if world_size == 1:
        return batch

    def part(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or leaf.dim() == 0:
            return leaf
        size, rest = divmod(len(leaf), world_size)
        if rest:
            raise ValueError(
                f"a batch of {len(leaf)} rows cannot be split evenly over {world_size} processes; drop or pad the last batch."
            )
        return leaf[rank * size : (rank + 1) * size]

    return torch.utils._pytree.tree_map(part, batch)


def is_stateful(data: Any) -> bool:
    """Whether data know where they stand, and can be told.

    Args:
        data: What yields batches.

    Example:
        >>> from probgen.infer.stream import is_stateful
        >>> is_stateful([1, 2])
        False
    """
    return callable(getattr(data, "state_dict", None)) and callable(getattr(data, "load_state_dict", None))


def _set_epoch(data: Any, epoch: int) -> None:
    for owner in (data, getattr(data, "sampler", None)):
        set_epoch = getattr(owner, "set_epoch", None)
        if callable(set_epoch):
            set_epoch(epoch)
