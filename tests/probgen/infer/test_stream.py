"""Batches, pass after pass, and shares of them."""

import pytest
import torch

from probgen.data import Batches
from probgen.infer.randomness import random_state, restore_random_state
from probgen.infer.stream import PASS_END, Stream, is_stateful, shard, split_batch


class Shuffled:
    def __iter__(self):
        return iter(torch.randperm(6).tolist())


def test_position_is_found_again_in_the_random_stream():
    stream = Stream(Shuffled(), epochs=2)
    batches = iter(stream)
    for _ in range(9):  # a pass, its end, two batches
        next(batches)
    state, noise = stream.state_dict(), random_state()
    rest = list(batches)
    twin = Stream(Shuffled(), epochs=2)
    twin.load_state_dict(state)
    restore_random_state(noise)
    assert list(twin) == rest
    assert rest[-1] is PASS_END


def test_data_that_shrank_or_is_empty_is_an_error():
    stream = Stream([1], epochs=1)
    stream.load_state_dict({"epoch": 0, "position": 2, "start": random_state()})
    with pytest.raises(ValueError, match="now yields only 1"):
        list(stream)
    with pytest.raises(ValueError, match="yielded no batch"):
        list(Stream([], epochs=1))


def test_an_iterator_is_passed_once():
    assert list(Stream(iter([1, 2]), epochs=None)) == [1, 2, PASS_END]


def test_shards_are_equal_rows_of_every_tensor():
    batch = {"x": torch.arange(4), "y": (torch.eye(4), 3.0)}
    part = shard(batch, rank=1, world_size=2)
    assert part["x"].tolist() == [2, 3]
    assert part["y"][0].shape == (2, 4)
    assert split_batch(part) == ((), part)
    with pytest.raises(ValueError, match="batch of 5 rows cannot be split evenly over 2"):
        shard(torch.zeros(5), rank=0, world_size=2)


def test_data_that_stand_at_the_end_of_their_own_pass_begin_anew():
    batches = Batches(torch.arange(4), 2)
    taken = iter(batches)
    next(taken), next(taken)  # the pass is used up, but nobody has asked for a third batch
    assert batches.position == 2
    found = list(Stream(batches, epochs=1))
    assert [len(batch) for batch in found[:-1]] == [2, 2]
    with pytest.raises(ValueError, match="`data` yielded no batch"):
        list(Stream([], epochs=1))


def test_only_data_that_can_be_told_where_they_stand_are_stateful():
    assert is_stateful(Batches(torch.zeros(4), batch_size=2))
    assert not is_stateful([torch.zeros(4)])
