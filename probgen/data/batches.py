"""Minibatches that can stop in the middle of an epoch and go on at the same place.

The order of epoch e is a function of (seed, e) alone, so the whole state is two integers: the epoch and the position in it.
A run that was interrupted and resumed sees exactly the batches that it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["Batches"]

Batch = Any
"""A tensor, a tuple of tensors or a dict of tensors, like what was given."""


class Batches:
    """Shuffled minibatches of tensors, resumable to the exact batch.

    Iterating yields the *rest* of the current epoch: all of it normally, what is left of it after a break or a resume.

    Args:
        tensors: A tensor, a sequence of tensors or a mapping of tensors, all with the same first dimension. Batches have the
            same form (a tuple for a sequence), as ``infer.fit`` expects them.
        batch_size: Examples in a batch.
        seed: Fixes all orders and all noise.
        shuffle: Whether to shuffle in every epoch.
        drop_last: Whether to drop a last batch that is not full.
        transform: Applied to every batch as ``transform(batch, generator)``; random numbers drawn from ``generator``
            (dequantization, augmentation) depend on seed, epoch and position only, so they too are the same after a resume.

    Raises:
        ValueError: the tensors disagree in length, there are none, or ``batch_size`` is not positive.

    Example:
        >>> import torch
        >>> from probgen.data import Batches
        >>> batches = Batches(torch.arange(10), batch_size=4, shuffle=False)
        >>> [batch.tolist() for batch in batches]
        [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
        >>> first = next(iter(batches))
        >>> again = Batches(torch.arange(10), batch_size=4, shuffle=False)
        >>> again.load_state_dict(batches.state_dict())
        >>> next(iter(again)).tolist()
        [4, 5, 6, 7]
    """

    def __init__(
        self,
        tensors: Tensor | Sequence[Tensor] | Mapping[str, Tensor],
        batch_size: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        transform: Callable[[Batch, torch.Generator], Batch] | None = None,
    ) -> None:
        columns = _columns(tensors)
        lengths = sorted({len(column) for column in columns})
        if len(lengths) != 1:
            raise ValueError(f"`tensors` must all have the same number of rows; got {lengths}.")
        if batch_size < 1:
            raise ValueError(f"`batch_size` must be at least 1; got {batch_size}.")
        self.tensors = tensors
        self.batch_size = batch_size
        self.seed = seed
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.transform = transform
        self.num_examples = lengths[0]
        self.epoch = 0
        self.position = 0

    def __len__(self) -> int:
        """Batches in a whole epoch."""
        full, rest = divmod(self.num_examples, self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[Batch]:
        order = self._order()
        while self.position < len(self):
            start = self.position * self.batch_size
            batch = self._take(order[start : start + self.batch_size])
            if self.transform is not None:
                batch = self.transform(batch, self._generator(1 + self.position))
            self.position += 1
            yield batch
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        """Where the iteration stands: the epoch and the number of batches already given in it, with the seed."""
        return {"epoch": self.epoch, "position": self.position, "seed": self.seed}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on from ``state``.

        Raises:
            ValueError: the state does not hold exactly ``epoch``, ``position`` and ``seed``.
        """
        if set(state) != {"epoch", "position", "seed"}:
            raise ValueError(f"`state` must hold epoch, position and seed; got {sorted(state)}.")
        self.epoch, self.position, self.seed = int(state["epoch"]), int(state["position"]), int(state["seed"])

    def _generator(self, stream: int) -> torch.Generator:
        mixed = (self.seed * 1_000_003 + self.epoch) * 1_000_003 + stream
        return torch.Generator().manual_seed(mixed % 2**63)

    def _order(self) -> Tensor:
        if not self.shuffle:
            return torch.arange(self.num_examples)
        return torch.randperm(self.num_examples, generator=self._generator(0))

    def _take(self, index: Tensor) -> Batch:
        if isinstance(self.tensors, Tensor):
            return self.tensors[index]
        if isinstance(self.tensors, Mapping):
            return {name: tensor[index] for name, tensor in self.tensors.items()}
        return tuple(tensor[index] for tensor in self.tensors)


def _columns(tensors: Tensor | Sequence[Tensor] | Mapping[str, Tensor]) -> list[Tensor]:
    if isinstance(tensors, Tensor):
        return [tensors]
    return list(tensors.values()) if isinstance(tensors, Mapping) else list(tensors)
