"""Ranks, contexts and sums of maps one after another."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import ConditionalElementwise, Exp, Permutation, Reshape, Shift
from probgen.distributions.bijectors._chain import common_context_shape, event_ranks, total_of, widened


def _conditional(width: int) -> ConditionalElementwise:
    return ConditionalElementwise(Shift(), torch.nn.Linear(width, 2), event_shape=(2,), context_shape=(width,))


def test_the_rank_is_that_of_the_widest_part_seen_from_each_place():
    assert event_ranks([Exp()]) == [0, 0]
    assert event_ranks([Exp(), Permutation([1, 0]), Exp()]) == [1, 1, 1, 1]
    assert event_ranks([Exp(), Reshape((4,), (2, 2)), Exp()]) == [1, 1, 2, 2]


def test_one_context_shape_serves_all_parts_that_take_one():
    assert common_context_shape([Exp()]) is None
    assert common_context_shape([Exp(), _conditional(3), _conditional(3)]) == (3,)
    with pytest.raises(ValueError, match="same shape"):
        common_context_shape([_conditional(3), _conditional(4)])


def test_a_widened_constraint_holds_of_whole_events():
    positive = widened(constraints.positive, 1)
    assert positive.event_dim == 1
    assert positive.check(torch.tensor([[1.0, 2.0], [1.0, -2.0]])).tolist() == [True, False]
    assert widened(constraints.positive, 0) is constraints.positive


def test_terms_of_different_batches_add_up():
    assert total_of([torch.tensor(1.0), torch.tensor([2.0, 3.0]), torch.tensor([[1.0]])]).tolist() == [[4.0, 5.0]]
