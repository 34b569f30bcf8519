"""Couplings: what is copied, what the conditioner sees, masks, errors, and inversion at every scale."""

import pytest
import torch
from torch import nn

from probgen.distributions.bijectors import (
    Affine,
    Coupling,
    Exp,
    RationalQuadraticSpline,
    Scale,
    SumOfSquares,
    alternating_mask,
    half_mask,
)
from probgen.distributions.testing import REGIMES
from probgen.flows import neural_spline_coupling
from probgen.nn import MLP


def test_the_map_is_the_formula():
    conditioner = nn.Linear(1, 4)
    f = Coupling(Affine(), conditioner, [True, False, False])
    x = torch.randn(5, 3)
    raw = conditioner(3.0 * torch.tanh(x[:, :1] / 3.0)).reshape(5, 2, 2)
    y, log_det = f.forward_and_log_det(x)
    expected, terms = Affine().as_element().element_forward(x[:, 1:], raw)
    assert torch.equal(y[:, :1], x[:, :1])
    assert torch.allclose(y[:, 1:], expected)
    assert torch.allclose(log_det, terms.sum(-1))


@pytest.mark.parametrize(
    "mask",
    [half_mask(5), half_mask(5, flip=True), alternating_mask(5), alternating_mask(5, flip=True), (False,) * 5],
    ids=str,
)
def test_any_mask_copies_its_coordinates_and_inverts(mask):
    f = Coupling(Affine(), MLP(sum(mask), 2 * (5 - sum(mask)), hidden=(8,)), mask).double()
    x = torch.randn(7, 5, dtype=torch.float64)
    y = f(x)
    copied = torch.tensor(mask)
    assert torch.equal(y[:, copied], x[:, copied])
    assert not torch.isclose(y[:, ~copied], x[:, ~copied]).all()
    assert torch.allclose(f.inverse(y), x, atol=1e-12)


def test_a_given_value_stays_and_free_ones_are_emitted():
    f = Coupling(Affine(scale=2.0), nn.Linear(1, 1), [True, False])
    assert torch.allclose(f.forward_log_det_jacobian(torch.randn(4, 2)), torch.tensor(2.0).log().expand(4))
    assert [name for name, _ in f.named_parameters()] == ["conditioner.weight", "conditioner.bias"]


def test_the_conditioner_sees_bounded_inputs():
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append(x)
            return super().forward(x)

    f = Coupling(Affine(), Spy(1, 2), [True, False], input_bound=5.0)
    f(torch.tensor([[1e30, 0.0], [0.01, 0.0]]))
    assert torch.allclose(seen[0], torch.tensor([[5.0], [0.01]]), rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((Affine(), nn.Linear(2, 2), [True, True]), ValueError, "`mask`"),
        ((Exp(), nn.Linear(1, 2), [True, False]), ValueError, "equal domain and codomain"),
        ((Affine(1.0, 2.0), nn.Linear(1, 2), [True, False]), ValueError, "free parameters"),
        ((Scale(torch.ones(2)), nn.Linear(1, 2), [True, False]), ValueError, "free parameters"),
        ((Affine(loc=torch.zeros(2)), nn.Linear(1, 2), [True, False]), ValueError, "given `loc`"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        Coupling(*arguments)


def test_other_wrong_arguments_are_named():
    with pytest.raises(TypeError, match="Elementwise"):
        Coupling(Coupling(Affine(), nn.Linear(1, 2), [True, False]), nn.Linear(1, 2), [True, False])
    with pytest.raises(TypeError, match="Elementwise"):
        Coupling("affine", nn.Linear(1, 2), [True, False])
    with pytest.raises(ValueError, match="`input_bound` must be positive"):
        Coupling(Affine(), nn.Linear(1, 2), [True, False], input_bound=0.0)
    with pytest.raises(ValueError, match="must give 2 numbers for an event; got 3"):
        Coupling(Affine(), nn.Linear(1, 3), [True, False])(torch.zeros(1, 2))


def test_masks_leave_one_coordinate_to_transform():
    assert half_mask(1) == half_mask(1, flip=True) == alternating_mask(1) == alternating_mask(1, flip=True) == (False,)


# Acceptance: as built at scales 1, 10, 1000; weights moved by N(0, 0.25 / fan_in) at scale 1 and never lost elsewhere.
AS_BUILT = {torch.float32: (1e-5, 1e-4, 1e-3), torch.float64: (1e-13, 1e-12, 1e-11)}
MODERATE = {torch.float32: (5e-5, 1e-3, 1e-2), torch.float64: (1e-13, 1e-11, 1e-10)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("regime", "bounds"), [("as_built", AS_BUILT), ("moderate", MODERATE)], ids=["as_built", "moderate"])
def test_deep_spline_couplings_invert_at_every_scale(regime, bounds, dtype):
    flow = REGIMES[regime].apply(neural_spline_coupling(16, layers=8, hidden=(128, 128))).to(dtype)
    for scale, bound in zip((1.0, 10.0, 1e3), bounds[dtype], strict=True):
        x = (scale * torch.randn(512, 16, dtype=torch.float64)).to(dtype)
        with torch.no_grad():
            assert (flow.inverse(flow(x)) - x).abs().max() <= bound
            assert (flow(flow.inverse(x)) - x).abs().max() <= bound


def test_spline_elements_emit_all_their_numbers():
    assert RationalQuadraticSpline(bins=8).num_free == 3 * 8 - 1


@pytest.mark.parametrize(("element", "fast"), [(Affine(), "both"), (SumOfSquares(), "forward")], ids=["closed", "iterative"])
def test_it_is_as_fast_as_its_element(element, fast):
    f = Coupling(element, MLP(1, element.num_free, hidden=(4,)), half_mask(2))
    assert (f.fast_direction, f.exact_inverse) == (fast, element.exact_inverse)
    assert (f >> f).fast_direction == fast
    assert f.inv.fast_direction == {"both": "both", "forward": "inverse"}[fast]
