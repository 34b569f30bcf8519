"""Composition: order, event ranks, shapes, contexts, sharing."""

import pytest
import torch
from torch.distributions import biject_to, constraints

from probgen.distributions.bijectors import Affine, Compose, Exp, Inverse, Lift, Scale, Shift
from probgen.distributions.testing import autograd_log_det, validation
from probgen.flows import neural_spline_coupling


def test_left_to_right():
    f = Compose(Shift(1.0), Scale(2.0))
    assert f(torch.tensor(3.0)) == 8.0  # (3 + 1) * 2
    assert f.inverse(torch.tensor(8.0)) == 3.0
    assert f.sign == 1


def test_nested_compositions_are_flattened_and_parameters_are_shared():
    part = Affine(shape=(2,))
    f = Compose(part, Compose(Exp(), part.inv))
    assert len(f) == 3
    assert len(list(f.parameters())) == 2  # loc and scale, once
    assert isinstance(f[1:], Compose)
    assert f[0] is part


def test_the_event_is_as_large_as_the_most_demanding_part_asks():
    f = Compose(Scale(2.0), Lift(biject_to(constraints.simplex)))
    assert f.domain.event_dim == f.codomain.event_dim == 1
    x = torch.tensor([[0.3, -1.0], [2.0, 0.1]], dtype=torch.float64)
    y, log_det = f.double().forward_and_log_det(x)
    assert y.shape == (2, 3)
    assert log_det.shape == (2,)
    assert torch.allclose(f.inverse_log_det_jacobian(y), -log_det)
    assert f.forward_shape((5, 2)) == (5, 3)
    assert f.inverse_shape((5, 3)) == (5, 2)


def test_the_log_det_is_that_of_autograd():
    f = Compose(Affine(torch.tensor([0.5, -1.0]), torch.tensor([2.0, 0.3])), Exp(), Affine(0.0, 3.0)).double()
    x = torch.tensor([0.2, -0.7], dtype=torch.float64)
    jacobian = torch.func.jacfwd(f)(x)
    assert torch.allclose(torch.linalg.slogdet(jacobian).logabsdet, f.forward_log_det_jacobian(x).sum())
    assert callable(autograd_log_det)


def test_the_context_goes_to_the_parts_that_want_one():
    flow = neural_spline_coupling(features=2, context_shape=(3,), layers=2, hidden=(8,))
    f = Compose(Scale(2.0), flow)
    assert f.context_shape == (3,)
    x, context = torch.randn(5, 2), torch.randn(5, 3)
    assert torch.equal(f(x, context), flow(2 * x, context))


def test_errors_name_the_parts():
    with pytest.raises(ValueError, match="part"):
        Compose()
    one, other = (neural_spline_coupling(features=2, context_shape=(n,), layers=1, hidden=(4,)) for n in (1, 2))
    with pytest.raises(ValueError, match="context"):
        Compose(one, other)
    two, three = (neural_spline_coupling(features=n, layers=1, hidden=(4,)) for n in (2, 3))
    with pytest.raises(ValueError, match=r"gives events of shape \(2,\) but .* takes shape \(3,\)"):
        Compose(two, three)


def test_a_value_that_leaves_the_next_domain_is_an_error_while_validating():
    f = Compose(Shift(-5.0), Inverse(Exp()))  # log(x - 5)
    with validation(enabled=True), pytest.raises(ValueError, match=r"part 1 \(Inverse\)"):
        f(torch.tensor([1.0]))
    with validation(enabled=False):
        assert f(torch.tensor([1.0])).isnan().all()


def test_the_inverse_of_the_composition_runs_backwards():
    f = Compose(Affine(1.0, 2.0), Exp())
    x = torch.linspace(-2, 2, 5)
    assert torch.allclose(f.inv(f(x)), x, atol=1e-6)
    assert f.inv.inv is f
