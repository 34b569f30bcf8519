"""Streams: memories in the order of the calls, as values."""

import torch

from probgen.nn.causal import Stream


def total(x, stream):
    """A running sum that writes into its memory."""

    def advance(memory):
        memory += x
        return memory, memory.clone()

    return stream.update(lambda: torch.zeros_like(x), advance, writes=True)


def test_a_memory_is_not_written_unless_it_is_private():
    first = Stream(0)
    total(torch.tensor([1.0]), first)
    kept = first.memory
    assert total(torch.tensor([2.0]), Stream(1, kept)) == 3
    assert total(torch.tensor([5.0]), Stream(1, kept)) == 6
    assert total(torch.tensor([5.0]), Stream(1, kept, in_place=True)) == 6
    assert kept[0] == 6


def test_memories_follow_the_calls():
    memory = None
    for position, x in enumerate(torch.tensor([[1.0], [2.0], [4.0]])):
        stream = Stream(position, memory)
        once = total(x, stream)
        twice = total(once, stream)
        memory = stream.memory
    assert once == 7
    assert twice == 1 + 3 + 7


def test_what_is_remembered_is_made_once_and_what_is_prepared_once_a_sweep():
    for in_place, expected in ((False, 3), (True, 1)):
        made = []
        memory = None
        for position in range(3):
            stream = Stream(position, memory, in_place=in_place)
            assert stream.remember(lambda: torch.tensor([7.0])) == 7
            stream.prepare(lambda made=made: made.append(1) or torch.ones(1))
            memory = stream.memory
        assert len(made) == expected
        assert len(memory) == 1 + in_place


def test_rows_run_once_a_period():
    memory, runs = None, []

    def row(inner):
        runs.append(inner.position)
        return total(torch.ones(1), inner)

    results = []
    for position in range(6):
        stream = Stream(position, memory)
        results.append(stream.every(3, row).item())
        memory = stream.memory
    assert runs == [0, 1]
    assert results == [1, 1, 1, 2, 2, 2]
