"""Coupling flows with any element."""

import pytest
import torch

from probgen.distributions.bijectors import Affine, CircularSpline, Inverse, Reverse, SumOfSquares
from probgen.flows import coupling_flow


def test_masks_take_turns():
    flow = coupling_flow(4, element=Affine(), layers=3, hidden=(8,), masks="half")
    assert [part.mask[0] for part in flow.parts] == [True, False, True]


def test_mixing_stands_between_layers():
    flow = coupling_flow(4, element=Affine(), layers=3, hidden=(8,), mixing=lambda: Reverse())
    assert [type(part).__name__ for part in flow.parts] == ["Coupling", "Reverse", "Coupling", "Reverse", "Coupling"]


def test_an_iterative_inverse_is_kept_away_from_densities():
    flow = coupling_flow(2, element=SumOfSquares(), layers=2, hidden=(8,)).double()
    assert all(isinstance(part, Inverse) for part in flow.parts)
    x = torch.randn(5, 2, dtype=torch.float64)
    assert torch.allclose(flow(flow.inverse(x)), x, atol=1e-8)


def test_other_domains_are_kept():
    flow = coupling_flow(2, element=CircularSpline(4), layers=2, hidden=(8,))
    y = flow(torch.tensor([[-3.0, 3.0]]))
    assert repr(flow.domain) == repr(flow.codomain)
    assert bool(flow.codomain.check(y).all())


def test_wrong_sizes_are_named():
    with pytest.raises(ValueError, match="`features` and `layers` must be positive"):
        coupling_flow(0, element=Affine())
