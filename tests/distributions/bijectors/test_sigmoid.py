import math

import pytest
import torch

from probgen.distributions.bijectors import Logit, Sigmoid, Tanh

FAR = [17.0, 30.0, 100.0, 1e4, 1e30]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bijector", [Sigmoid(), Tanh()])
def test_saturated_values_stay_inside_and_invert_to_finite_numbers(bijector, dtype):
    x = torch.tensor([*FAR, *(-value for value in FAR)], dtype=dtype)
    y = bijector(x)
    lower = bijector.codomain.lower_bound
    assert ((y > lower) & (y < 1)).all()
    x_again, log_det = bijector.inverse_and_log_det(y)
    assert x_again.isfinite().all()
    assert log_det.isfinite().all()


@pytest.mark.parametrize(("bijector", "rate", "constant"), [(Sigmoid(), 1.0, 0.0), (Tanh(), 2.0, 2 * math.log(2.0))])
def test_log_det_is_exact_far_out(bijector, rate, constant):
    x = torch.tensor(FAR)
    expected = constant - rate * x.double() - 2 * torch.log1p(torch.exp(-rate * x.double()))
    for signed in (x, -x):
        torch.testing.assert_close(bijector.forward_log_det_jacobian(signed).double(), expected, rtol=3e-7, atol=0)


@pytest.mark.parametrize(("bijector", "edges"), [(Sigmoid(), [0.0, 1.0]), (Tanh(), [-1.0, 1.0])])
def test_ends_of_the_codomain_have_finite_inverses(bijector, edges):
    x, log_det = bijector.inverse_and_log_det(torch.tensor(edges))
    assert x.isfinite().all()
    assert log_det.isfinite().all()
    assert x[0] < 0 < x[1]


def test_lower_tail_of_sigmoid_round_trips_to_minus_80():
    x = torch.tensor([-80.0, -50.0, -20.0])
    torch.testing.assert_close(Sigmoid().inverse(Sigmoid()(x)), x, rtol=3e-7, atol=0)


def test_logit_is_the_inverse_of_sigmoid():
    p = torch.tensor([1e-30, 0.3, 0.999])
    x, log_det = Logit().forward_and_log_det(p)
    torch.testing.assert_close(x, torch.special.logit(p))
    torch.testing.assert_close(log_det, Sigmoid().inverse_log_det_jacobian(p))


def test_slope_of_tanh_at_zero_is_exactly_one():
    x = torch.zeros((), requires_grad=True)
    log_det = Tanh().forward_log_det_jacobian(x)
    assert log_det.abs() < 1e-6
    assert torch.autograd.grad(log_det, x)[0] == 0
