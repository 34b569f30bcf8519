import pytest
import torch

from probgen.distributions.bijectors import Power, SignedPower


@pytest.mark.parametrize("exponent", [0.5, 1.0, 3.0])
def test_power_closed_form(exponent):
    x = torch.tensor([1e-8, 0.5, 7.0], dtype=torch.float64)
    y, log_det = Power(exponent).forward_and_log_det(x)
    torch.testing.assert_close(y, x**exponent)
    torch.testing.assert_close(log_det, (exponent * x ** (exponent - 1)).log())


def test_power_underflow_stays_positive():
    y = Power(3.0)(torch.tensor(1e-30))
    assert y > 0
    assert Power(3.0).inverse(y) > 0


def test_signed_power_is_odd_with_slope_one_at_zero():
    f = SignedPower(torch.tensor([0.5, 2.0]))
    x = torch.tensor([[0.7], [0.0]], requires_grad=True)
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(f(-x), -y)
    assert (log_det[1] == 0).all()
    assert torch.equal(torch.autograd.grad(y[1, 0], x)[0][1], torch.ones(1))


def test_signed_power_one_is_the_identity():
    x = torch.tensor([-1e10, -1.0, 1e-12, 3.0])
    torch.testing.assert_close(SignedPower(1.0)(x), x, rtol=1e-5, atol=0)


def test_signed_power_inverts_far_out():
    x = torch.tensor([-1e15, 1e15], dtype=torch.float64)
    f = SignedPower(2.0).double()
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-13, atol=0)


def test_exponent_must_be_positive():
    with pytest.raises(ValueError, match="`exponent` must satisfy"):
        Power(0.0)
