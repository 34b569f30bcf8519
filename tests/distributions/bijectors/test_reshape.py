"""Reshape: row-major order, shapes, support."""

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions.bijectors import Exp, Reshape


@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_keeps_row_major_order(batch):
    x = torch.randn(*batch, 2, 3)
    f = Reshape((2, 3), (3, 1, 2))
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(y, x.reshape(*batch, 3, 1, 2))
    assert torch.equal(log_det, torch.zeros(batch))
    assert torch.equal(f.inverse(y), x)


def test_composition_keeps_the_support_that_is_declared():
    f = Exp() >> Reshape((4,), (2, 2), support=constraints.positive)
    assert f.codomain.check(torch.tensor([[1.0, 2.0], [3.0, -4.0]])).item() is False
    assert f.codomain_shape == (2, 2)


def test_rejects_other_sizes_and_coupled_supports():
    with pytest.raises(ValueError, match=r"must have the same number of elements; got \(2, 3\) and \(5,\)"):
        Reshape((2, 3), (5,))
    with pytest.raises(ValueError, match="`support` must have event dimension 0"):
        Reshape((2,), (2,), support=constraints.simplex)
