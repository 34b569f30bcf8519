import torch

from probgen.distributions.bijectors import SinhArcsinh


def test_raw_zero_is_the_identity():
    x = torch.tensor([-1e6, -1.0, 0.0, 1e-20, 100.0])
    y, log_det = SinhArcsinh().forward_and_log_det(x)
    torch.testing.assert_close(y, x, rtol=2e-6, atol=0)
    assert (log_det.abs() < 1e-6).all()


def test_closed_form_in_double_precision():
    x = torch.linspace(-4, 4, 9, dtype=torch.float64)
    f = SinhArcsinh(0.5, 0.8).double()
    skewness, tailweight = f.skewness, f.tailweight
    z = tailweight * (torch.asinh(x) + skewness)
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(y, torch.sinh(z))
    torch.testing.assert_close(log_det, (tailweight * torch.cosh(z) / torch.sqrt(1 + x**2)).log())


def test_is_stable_where_squares_overflow():
    f = SinhArcsinh(0.3, 0.5)
    x = torch.tensor([-1e30, 1e30], requires_grad=True)
    y, log_det = f.forward_and_log_det(x)
    double, log_det_double = f.double().forward_and_log_det(x.detach().double())
    torch.testing.assert_close(y.double(), double, rtol=2e-5, atol=0)
    torch.testing.assert_close(log_det.double(), log_det_double, rtol=1e-6, atol=0)
    assert torch.autograd.grad((y + log_det).sum(), x)[0].isfinite().all()


def test_positive_skewness_moves_mass_to_the_right():
    x = torch.randn(2000)
    assert SinhArcsinh(1.0, 1.0)(x).mean() > x.mean() + 1.0
