"""Neural spline flow, coupling form."""

import pytest
import torch

from probgen.flows import neural_spline_coupling


@pytest.mark.parametrize("context_shape", [None, (2,)], ids=str)
@pytest.mark.parametrize("features", [1, 3])
def test_it_is_a_bijection_with_its_declared_fast_direction(features, context_shape):
    flow = neural_spline_coupling(features, context_shape=context_shape, layers=3, hidden=(8, 8)).double()
    x = torch.randn(5, features, dtype=torch.float64)
    context = None if context_shape is None else torch.randn(5, 2, dtype=torch.float64)
    y, log_det = flow.forward_and_log_det(x, context)
    back, inverse_log_det = flow.inverse_and_log_det(y, context)
    assert torch.allclose(back, x, atol=1e-10)
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-10)
    assert not torch.allclose(y, x, atol=1e-3)
    assert flow.fast_direction == "both"
    assert flow.context_shape == context_shape


def test_outside_the_bound_it_is_the_identity():
    flow = neural_spline_coupling(2, layers=4, bound=2.0, hidden=(8,))
    x = torch.tensor([[3.0, -7.0], [100.0, 2.5]])
    assert torch.equal(flow(x), x)
