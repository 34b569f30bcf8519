import pytest
import torch

from probgen.distributions.bijectors import Softplus


def test_keeps_relative_accuracy_over_the_whole_range():
    x = torch.tensor([-87.0, -40.0, -1.0, 0.0, 1.0, 40.0, 1e30])
    exact = torch.where(x < 30, torch.log1p(torch.exp(x.double().clamp(max=30))), x.double())
    y, log_det = Softplus().forward_and_log_det(x)
    torch.testing.assert_close(y.double(), exact, rtol=3e-7, atol=0)
    torch.testing.assert_close(log_det.double(), -torch.nn.functional.softplus(-x.double(), threshold=1000), rtol=3e-7, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_are_positive_below_the_smallest_exponential(dtype):
    y = Softplus()(torch.tensor([-1e3, -1e30], dtype=dtype))
    assert (y == torch.finfo(dtype).tiny).all()
    assert Softplus().inverse(y).isfinite().all()


def test_matches_torch_in_double_precision():
    x = torch.linspace(-30, 30, 101, dtype=torch.float64)
    torch.testing.assert_close(Softplus()(x), torch.nn.functional.softplus(x, threshold=1e9), rtol=1e-14, atol=0)


def test_derivative_at_zero_is_one_half():
    x = torch.zeros((), requires_grad=True)
    assert torch.autograd.grad(Softplus()(x), x)[0] == 0.5
