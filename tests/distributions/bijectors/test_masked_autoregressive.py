"""Autoregressive bijectors: the two forms, their Jacobians, the sweep with and without gradients, errors, inversion."""

import pytest
import torch

from probgen.distributions.bijectors import Affine, MaskedAutoregressive, RationalQuadraticSpline, SumOfSquares
from probgen.distributions.testing import REGIMES
from probgen.flows import masked_autoregressive_flow
from probgen.nn import MADE, MLP

ORDER = (2, 0, 3, 1)


def made(outputs=2, **options):
    return MADE(4, outputs, hidden=(16, 16), order=ORDER, **options)


@pytest.mark.parametrize("parallel", ["inverse", "forward"])
def test_the_map_is_the_formula(parallel):
    f = MaskedAutoregressive(Affine(), made(), parallel=parallel).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x)
    seen = y if parallel == "inverse" else x
    expected, terms = f.element.element_forward(x, f.network(3.0 * torch.tanh(seen / 3.0)))
    assert torch.allclose(y, expected, atol=1e-12)
    assert torch.allclose(log_det, terms.sum(-1), atol=1e-12)
    assert f.fast_direction == parallel


@pytest.mark.parametrize("parallel", ["inverse", "forward"])
def test_the_jacobian_is_triangular_in_the_stated_order(parallel):
    f = MaskedAutoregressive(RationalQuadraticSpline(4), made(11), parallel=parallel).double()
    order = torch.tensor(ORDER)
    for direction in (f.forward, f.inverse):
        jacobian = torch.autograd.functional.jacobian(direction, torch.randn(4, dtype=torch.float64))[order][:, order]
        assert torch.equal(jacobian, jacobian.tril())
        assert (jacobian.tril(-1) != 0).any()
    assert torch.equal(f.dependence[order][:, order], torch.ones(4, 4).bool().tril())


@pytest.mark.parametrize("batch", [(), (1,), (5,), (2, 3), (0,)], ids=str)
def test_the_sweep_is_the_same_with_and_without_gradients(batch):
    f = MaskedAutoregressive(Affine(), made(context_features=2)).double()
    x, context = torch.randn(*batch, 4, dtype=torch.float64), torch.randn(*batch, 2, dtype=torch.float64)
    y, log_det = f.forward_and_log_det(x, context)
    with torch.no_grad():
        again, log_det_again = f.forward_and_log_det(x, context)
        value = f(x, context)
    assert torch.allclose(y, again, atol=1e-12)
    assert torch.allclose(log_det, log_det_again, atol=1e-12)
    assert torch.allclose(y, value, atol=1e-12)


def test_the_sequential_direction_can_be_differentiated_twice():
    f = MaskedAutoregressive(Affine(), made()).double()
    x = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: f.forward_and_log_det(v), (x,))
    assert torch.autograd.gradgradcheck(lambda v: f.forward_and_log_det(v), (x,))


def test_a_single_sample_leaves_the_parameters_alone():
    f = MaskedAutoregressive(Affine(), made())
    before = [parameter.detach().clone() for parameter in f.parameters()]
    with torch.no_grad():
        f(torch.randn(1, 4))
    assert all(torch.equal(old, new) for old, new in zip(before, f.parameters(), strict=True))


def test_one_level_is_as_fast_as_the_element():
    assert MaskedAutoregressive(Affine(), MADE(1, 2, hidden=(4,))).fast_direction == "both"
    element = SumOfSquares()
    assert MaskedAutoregressive(element, MADE(1, element.num_free, hidden=(4,))).fast_direction == "forward"


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match="IncrementalNetwork"):
        MaskedAutoregressive(Affine(), MLP(4, 8))
    with pytest.raises(ValueError, match="2 numbers a coordinate for Affine; it gives 3"):
        MaskedAutoregressive(Affine(), made(3))
    with pytest.raises(ValueError, match="`parallel`"):
        MaskedAutoregressive(Affine(), made(), parallel="both")


# Acceptance: relative to max(1, |x|).
AS_BUILT = {torch.float32: (2e-6, 2e-6, 2e-6), torch.float64: (1e-13, 1e-13, 1e-13)}
MODERATE = {torch.float32: (5e-5, 1e-4, 1e-4), torch.float64: (1e-13, 1e-12, 1e-12)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("regime", "bounds"), [("as_built", AS_BUILT), ("moderate", MODERATE)], ids=["as_built", "moderate"])
def test_deep_affine_flows_invert_at_every_scale(regime, bounds, dtype):
    flow = REGIMES[regime].apply(masked_autoregressive_flow(16, layers=5, hidden=(128, 128))).to(dtype)
    for scale, bound in zip((1.0, 10.0, 1e3), bounds[dtype], strict=True):
        x = (scale * torch.randn(512, 16, dtype=torch.float64)).to(dtype)
        with torch.no_grad():
            for there, back in ((flow.forward, flow.inverse), (flow.inverse, flow.forward)):
                error = (back(there(x)) - x).abs() / x.abs().clamp(min=1.0)
                assert error.max() <= bound
