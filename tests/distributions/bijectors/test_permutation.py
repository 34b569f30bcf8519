"""Permutations: order, inverse, saved state."""

import pytest
import torch

from probgen.distributions.bijectors import Permutation, Reverse


def test_orders_and_restores():
    f = Permutation([2, 0, 3, 1])
    x = torch.tensor([[10.0, 11.0, 12.0, 13.0]])
    assert f(x).tolist() == [[12.0, 10.0, 13.0, 11.0]]
    assert torch.equal(f.inverse(f(x)), x)


def test_a_loaded_state_restores_the_order():
    saved, other = (Permutation.random(20, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    x = torch.randn(20)
    assert not torch.equal(saved(x), other(x))
    other.load_state_dict(saved.state_dict())
    assert torch.equal(saved(x), other(x))
    assert torch.equal(other.inverse(other(x)), x)


def test_a_seed_reproduces():
    first, second = (Permutation.random(20, generator=torch.Generator().manual_seed(1)).order for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("order", [[0, 0], [1, 2], [[0, 1]], [0, 2]])
def test_rejects_what_is_no_permutation(order):
    with pytest.raises(ValueError, match="`order` must be a permutation"):
        Permutation(order)


def test_rejects_another_length():
    with pytest.raises(ValueError, match=r"`x` must have event shape \(3,\); got shape \(4,\)"):
        Permutation([2, 1, 0])(torch.zeros(4))


def test_reverse_takes_any_length():
    assert Reverse()(torch.arange(3.0)).tolist() == [2.0, 1.0, 0.0]
    assert Reverse().inverse(torch.arange(2.0)).tolist() == [1.0, 0.0]
