"""Squeeze: neighbors become channels, any number of axes, honest errors."""

import pytest
import torch
from torch.nn import functional

from probgen.distributions.bijectors import Squeeze


@pytest.mark.parametrize("batch", [(), (0,), (2, 3)])
def test_agrees_with_pixel_unshuffle(batch):
    x = torch.randn(*batch, 3, 4, 6)
    y = Squeeze((2, 2))(x)
    assert y.shape == (*batch, 12, 2, 3)
    if 0 not in batch:  # torch's function keeps the shape of an empty batch
        assert torch.equal(y, functional.pixel_unshuffle(x, 2))
    assert torch.equal(Squeeze((2, 2)).inverse(y), x)


def test_groups_the_block_and_not_the_row():
    image = torch.arange(16.0).reshape(1, 4, 4)
    assert Squeeze((2, 2))(image)[:, 0, 0].tolist() == [0, 1, 4, 5]
    assert image.reshape(4, 2, 2)[:, 0, 0].tolist() == [0, 4, 8, 12]


def test_unequal_factors_and_one_axis():
    x = torch.arange(12.0).reshape(1, 2, 6)
    y = Squeeze((1, 3))(x)
    assert y.shape == (3, 2, 2)
    assert y[:, 1, 1].tolist() == [9, 10, 11]
    assert Squeeze((3,))(torch.arange(6.0).reshape(1, 6)).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_refuses_what_it_cannot_group():
    with pytest.raises(ValueError, match="multiples of the factors"):
        Squeeze((2, 2))(torch.zeros(1, 3, 4))
    with pytest.raises(ValueError, match="multiple of 4"):
        Squeeze((2, 2)).inverse(torch.zeros(3, 2, 2))
    with pytest.raises(ValueError, match="at least 3 event"):
        Squeeze((2, 2))(torch.zeros(2, 2))
    for factors in ((), (2, 0)):
        with pytest.raises(ValueError, match="must be positive"):
            Squeeze(factors)
