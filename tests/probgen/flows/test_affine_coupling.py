"""Real NVP."""

import pytest
import torch

from probgen.flows import real_nvp


@pytest.mark.parametrize("context_shape", [None, (2,)], ids=str)
@pytest.mark.parametrize("features", [1, 3])
def test_it_is_a_bijection_with_its_declared_fast_direction(features, context_shape):
    flow = real_nvp(features, context_shape=context_shape, layers=3, hidden=(8, 8)).double()
    x = torch.randn(5, features, dtype=torch.float64)
    context = None if context_shape is None else torch.randn(5, 2, dtype=torch.float64)
    y, log_det = flow.forward_and_log_det(x, context)
    back, inverse_log_det = flow.inverse_and_log_det(y, context)
    assert torch.allclose(back, x, atol=1e-10)
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-10)
    assert not torch.allclose(y, x, atol=1e-3)
    assert flow.fast_direction == "both"
    assert flow.context_shape == context_shape


def test_every_coordinate_is_transformed_by_an_affine_map():
    flow = real_nvp(2, layers=2, hidden=(8,))
    assert {type(part.element).__name__ for part in flow.parts} == {"Affine"}
    assert [part.mask for part in flow.parts] == [(False, True), (True, False)]
