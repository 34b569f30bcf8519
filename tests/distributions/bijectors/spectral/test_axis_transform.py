"""Orthonormal transforms along axes."""

import pytest
import torch

from probgen.distributions.bijectors import AxisTransform, DiscreteCosine, HaarWavelet


@pytest.mark.parametrize("make", [DiscreteCosine, HaarWavelet])
def test_the_event_has_the_axes_that_are_named(make):
    f = make((-2,))
    assert isinstance(f, AxisTransform)
    y, log_det = f.forward_and_log_det(torch.randn(7, 4, 3, generator=torch.Generator().manual_seed(0)))
    assert y.shape == (7, 4, 3)
    assert torch.equal(log_det, torch.zeros(7))


@pytest.mark.parametrize("dims", [(), (0,), (-1, -1)])
def test_wrong_axes(dims):
    with pytest.raises(ValueError, match="`dims`"):
        DiscreteCosine(dims)
