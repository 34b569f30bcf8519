"""Consistency: how much outputs change under the augmentation."""

import pytest
import torch

from probgen.infer import ConsistencyPenalty


def double(x):
    return 2 * x


def total(x):
    return x.sum(1)


def test_invariant_critics_cost_nothing():
    x = torch.randn(5, 4)
    assert ConsistencyPenalty(lambda x: x.flip(1))(lambda x: (x**2).sum(1), x, x) == pytest.approx(0.0, abs=1e-10)


def test_data_only_unless_balanced():
    real, fake = torch.ones(3, 2), torch.full((3, 2), 2.0)
    assert ConsistencyPenalty(double, 1.0)(total, real, fake) == 4
    assert ConsistencyPenalty(double, 1.0, balanced=True)(total, real, fake) == 4 + 16


def test_several_outputs_count_by_their_mean():
    real = torch.ones(3, 2)
    one = ConsistencyPenalty(double, 1.0)(lambda x: x[:, :1], real, real)
    assert ConsistencyPenalty(double, 1.0)(lambda x: x, real, real) == one == 1


def test_both_outputs_are_trained():
    weight = torch.ones(2, requires_grad=True)
    ConsistencyPenalty(double, 1.0)(lambda x: x @ weight, torch.ones(1, 2), torch.ones(1, 2)).backward()
    assert torch.equal(weight.grad, torch.full((2,), 4.0))  # of (w x - 2 w x)^2


def test_unequal_numbers_are_refused_where_both_count():
    penalty = ConsistencyPenalty(double, balanced=True)
    with pytest.raises(ValueError, match="as many draws as data"):
        penalty(total, torch.ones(3, 2), torch.ones(4, 2))
    assert ConsistencyPenalty(double)(total, torch.ones(3, 2), torch.ones(4, 2)).isfinite()
