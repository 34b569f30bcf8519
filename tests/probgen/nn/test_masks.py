"""Masks of autoregressive networks."""

import pytest
import torch

from probgen import nn
from probgen.nn.masks import adjacency_of_order, mask_plan, redrawn_plan, reordered_plan, topological_levels


def reach(plan):
    """Which inputs an output can depend on through the masks."""
    total = plan.masks[0].float()
    for mask in plan.masks[1:]:
        total = mask.float() @ total
    return total > 0


@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize("tied", [False, True])
def test_paths_respect_the_graph_and_use_it(seed, tied):
    graph = (torch.rand(8, 8) < 0.4).tril(-1)
    plan = mask_plan(graph, (64, 64), tied=tied, seed=seed)
    assert not (reach(plan) & ~graph).any()
    if seed is None:
        assert torch.equal(reach(plan), graph)


def test_units_are_sorted_by_readiness():
    plan = mask_plan(adjacency_of_order(range(6)), (9, 7))
    for mask, rows, columns in zip(plan.masks[1:-1], plan.ready[1:], plan.ready, strict=False):
        for level, (low, high) in enumerate(zip(rows, columns, strict=True)):
            assert not mask[:low, high:].any(), level
    assert plan.seen == (0, 1, 2, 3, 4, 5, 6)


def test_levels_are_longest_paths():
    graph = torch.zeros(4, 4).bool()
    graph[1, 0] = graph[2, 0] = graph[3, 2] = graph[3, 0] = True
    assert topological_levels(graph) == ((0,), (1, 2), (3,))


def test_cycles_and_wrong_orders_are_named():
    graph = torch.tensor([[0, 1], [1, 0]]).bool()
    with pytest.raises(ValueError, match=r"coordinates \[0, 1\] wait"):
        topological_levels(graph)
    with pytest.raises(ValueError, match="permutation"):
        adjacency_of_order([0, 0])


def test_reordered_masks_are_those_of_the_order():
    order = [2, 0, 3, 1]
    for constant in (False, True):
        made = mask_plan(adjacency_of_order(order), (9, 7), constant=constant)
        moved = reordered_plan(mask_plan(adjacency_of_order([1, 3, 0, 2]), (9, 7), constant=constant), order)
        assert moved.levels == made.levels
        assert moved.seen == made.seen
        assert moved.ready == made.ready
        assert all(torch.equal(a, b) for a, b in zip(moved.masks, made.masks, strict=True))


def test_redrawn_masks_are_causal_and_sorted_by_their_units():
    order = [2, 0, 3, 1]
    for options in ({}, {"constant": True}, {"tied": True}):
        plan = redrawn_plan(mask_plan(adjacency_of_order(order), (9, 9, 9)), 4, **options)
        paths = plan.masks[-1].float() @ plan.masks[2].float() @ plan.masks[1].float() @ plan.masks[0].float()
        assert not (paths > 0)[~adjacency_of_order(order)].any()
        for mask, units, ready in zip(plan.masks, plan.units, plan.ready, strict=False):
            assert sorted(units.tolist()) == list(range(9))
            assert (mask[units].sum(1).diff() >= 0).all()
            assert ready[-1] == 9
        first = plan.masks[0].sum(1)
        assert plan.ready[0] == tuple(int((first <= k).sum()) for k in range(5))
    tied = redrawn_plan(mask_plan(adjacency_of_order(order), (9, 9, 9)), 4, tied=True)
    assert torch.equal(tied.units[0], tied.units[2])


@pytest.mark.parametrize("network", [nn.FVSBN, nn.NADE])
def test_a_step_takes_the_numbers_of_one_coordinate(network):
    made = network(3, 1, num_inputs=2)
    state, _ = made.init_state((5,))
    made.step(state, torch.zeros(5, 2))
    with pytest.raises(ValueError, match=r"`values` must end with the 2 numbers of one coordinate; got \(5, 3\)"):
        made.step(state, torch.zeros(5, 3))
