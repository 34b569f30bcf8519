"""What every recipe promises, and what each adds."""

import pytest
import torch

from probgen.flows import (
    glow,
    inverse_autoregressive_flow,
    masked_autoregressive_flow,
    neural_spline_autoregressive,
    neural_spline_coupling,
    nice,
    planar_flow,
    real_nvp,
    simplex_flow,
    unconstrained_monotonic_flow,
)

FAST = {
    real_nvp: "both",
    neural_spline_coupling: "both",
    masked_autoregressive_flow: "inverse",
    neural_spline_autoregressive: "inverse",
    inverse_autoregressive_flow: "forward",
}


@pytest.mark.parametrize("recipe", FAST, ids=lambda recipe: recipe.__name__)
@pytest.mark.parametrize("context_shape", [None, (2,)], ids=str)
@pytest.mark.parametrize("features", [1, 3])
def test_it_is_a_bijection_with_its_declared_fast_direction(recipe, features, context_shape):
    flow = recipe(features, context_shape=context_shape, layers=3, hidden=(8, 8)).double()
    x = torch.randn(5, features, dtype=torch.float64)
    context = None if context_shape is None else torch.randn(5, 2, dtype=torch.float64)
    y, log_det = flow.forward_and_log_det(x, context)
    back, inverse_log_det = flow.inverse_and_log_det(y, context)
    assert torch.allclose(back, x, atol=1e-10)
    assert torch.allclose(inverse_log_det, -log_det, atol=1e-10)
    assert not torch.allclose(y, x, atol=1e-3)
    assert flow.fast_direction == ("both" if features == 1 else FAST[recipe])
    assert flow.context_shape == context_shape


@pytest.mark.parametrize("recipe", [neural_spline_coupling, neural_spline_autoregressive], ids=lambda recipe: recipe.__name__)
def test_a_spline_flow_is_the_identity_outside_the_bound(recipe):
    flow = recipe(2, layers=4, bound=2.0, hidden=(8,))
    x = torch.tensor([[3.0, -7.0], [100.0, 2.5]])
    assert torch.equal(flow(x), x)


def test_real_nvp_transforms_every_coordinate_by_an_affine_map():
    flow = real_nvp(2, layers=2, hidden=(8,))
    assert {type(part.element).__name__ for part in flow.parts} == {"Affine"}
    assert [part.mask for part in flow.parts] == [(False, True), (True, False)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: nice(3, layers=2, hidden=(8,), context_shape=(2,)),
        lambda: neural_spline_coupling(3, layers=2, hidden=(8,), context_shape=(2,)),
        lambda: masked_autoregressive_flow(3, layers=2, hidden=(8,), context_shape=(2,)),
        lambda: unconstrained_monotonic_flow(3, layers=1, integrand=(4,), signal=2, hidden=(8,), context_shape=(2,)),
        lambda: planar_flow(3, layers=2, hidden=(8,), context_shape=(2,)),
        lambda: simplex_flow(4, layers=1, hidden=(8,), context_shape=(2,)),
        lambda: glow((1, 2, 2), levels=1, steps=1, hidden=4, context_shape=(2,)),
    ],
)
def test_data_in_float64_meet_parameters_in_float32(make):
    torch.manual_seed(0)
    flow = make()
    x, context = torch.randn(5, *flow.domain_shape, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    for given in (context, context.float()):
        y, log_det = flow.forward_and_log_det(x, given)
        back, inverse_log_det = flow.inverse_and_log_det(y, given)
        torch.testing.assert_close(back, x, rtol=1e-4, atol=1e-4, check_dtype=False)
        torch.testing.assert_close(inverse_log_det, -log_det, rtol=1e-4, atol=1e-4, check_dtype=False)
