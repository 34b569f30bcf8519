"""Splits are disjoint, complete and frozen."""

import pytest
import torch

from probgen.data import Split, split_indices

FROZEN = [2, 4, 6, 8, 5]


def test_split_is_a_partition():
    parts = split_indices(101, [50, 20], seed=3)
    assert sorted(torch.cat(parts).tolist()) == list(range(101))


def test_split_is_frozen():
    assert split_indices(10, [5])[0].tolist() == FROZEN
    assert split_indices(10, [5], seed=1)[0].tolist() != FROZEN


def test_split_too_large():
    with pytest.raises(ValueError, match=r"at most n = 3"):
        split_indices(3, [2, 2])


def test_take_keeps_labels_with_their_rows():
    split = Split(torch.arange(5), torch.arange(5) * 10).take([4, 1])
    assert split.x.tolist() == [4, 1]
    assert split.y.tolist() == [40, 10]


def test_labels_are_asked_for():
    assert Split(torch.zeros(2), torch.ones(2)).labels.tolist() == [1, 1]
    with pytest.raises(ValueError, match="no labels"):
        _ = Split(torch.zeros(2)).labels
