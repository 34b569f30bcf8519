"""The pool of earlier draws: what goes in comes out or stays, its places, its state."""

import copy

import pytest
import torch

from probgen.gan import DrawPool


def numbered(start, count):
    return torch.arange(start, start + count, dtype=torch.float32).reshape(-1, 1)


@pytest.mark.parametrize(("size", "batch"), [(5, 2), (5, 5), (4, 3), (3, 7), (1, 1)])
def test_draws_are_exchanged_never_lost_or_doubled(size, batch):
    torch.manual_seed(0)
    pool = DrawPool(size, (1,))
    for turn in range(12):
        held = pool.events[: int(pool.count)].flatten().tolist()
        given = pool(numbered(1 + turn * batch, batch)).flatten().tolist()
        entered = numbered(1 + turn * batch, batch).flatten().tolist()
        fills = min(size - len(held), batch)
        assert given[:fills] == entered[:fills]
        # whatever is new either stays in the pool or is given out; copies exist of those that filled a free place, only
        now = pool.events[: int(pool.count)].flatten().tolist()
        if batch <= size:
            assert sorted(now + given) == sorted(held + entered + entered[:fills])
        assert len(given) == batch
        assert set(now) | set(given) == set(held) | set(entered)


@pytest.mark.statistical(false_alarm=1e-9)
def test_half_of_the_draws_are_earlier_ones_and_all_places_are_used():
    """Detects a share of 0.45 instead of one half, and a place used half as often as the others."""
    torch.manual_seed(0)
    pool = DrawPool(8, (1,))
    pool(numbered(0, 8))
    places = torch.zeros(8)
    swapped = 0
    for turn in range(1000):
        before = pool.events.clone()
        draws = numbered(10 + 4 * turn, 4)
        swapped += int((pool(draws) != draws).sum())
        places += (pool.events != before).flatten().float()
    assert abs(swapped / 4000 - 0.5) < 6.2 * 0.5 / 4000**0.5
    assert (places - 250).abs().max() < 6.5 * (1000 * 0.25 * 0.75) ** 0.5


def test_the_state_is_part_of_a_checkpoint():
    torch.manual_seed(0)
    pool = DrawPool(4, (2,))
    pool(torch.randn(3, 2))
    resumed = DrawPool(4, (2,))
    resumed.load_state_dict(pool.state_dict())
    draws = torch.randn(3, 2)
    torch.manual_seed(1)
    went_on = copy.deepcopy(pool)(draws)
    torch.manual_seed(1)
    assert torch.equal(resumed(draws), went_on)


def test_no_pool_evaluation_and_empty_batches_pass_through():
    draws = torch.randn(3, 2, requires_grad=True)
    for pool in (DrawPool(0, (2,)), DrawPool(2, (2,)).eval()):
        assert torch.equal(pool(draws), draws)
        assert not pool(draws).requires_grad
    assert DrawPool(2, (2,))(torch.zeros(0, 2)).shape == (0, 2)


def test_double_precision_and_what_it_refuses():
    pool = DrawPool(2, (2,)).double()
    assert pool(torch.zeros(5, 2, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match="`size`"):
        DrawPool(-1, (2,))
    with pytest.raises(ValueError, match="`draws` must have shape"):
        pool(torch.zeros(5, 3))
