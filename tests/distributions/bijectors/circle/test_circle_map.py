"""What the maps of the circle share."""

from __future__ import annotations

import pytest
import torch

from probgen.distributions.bijectors import CircularReflection, CircularShift, Mobius
from probgen.distributions.bijectors.circle._circle_map import CircleMap
from probgen.distributions.constraints import circular


@pytest.mark.parametrize("bijector", [CircularShift(1.0), CircularReflection(1.0), Mobius(torch.tensor([0.5, 0.0]))])
def test_maps_of_the_circle_start_and_end_there_and_have_no_sign(bijector: CircleMap):
    assert isinstance(bijector, CircleMap)
    assert bijector.domain is circular
    assert bijector.codomain is circular
    with pytest.raises(NotImplementedError, match=f"{type(bijector).__name__} has no sign"):
        _ = bijector.sign
