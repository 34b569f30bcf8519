"""Sum-of-squares polynomials against expanded polynomials."""

import pytest
import torch

from probgen.distributions.bijectors import SumOfSquares


def test_quadrature_is_the_exact_integral():
    a = torch.tensor([[1.0, -2.0, 0.5], [0.3, 0.0, -1.0]], dtype=torch.float64)
    f = SumOfSquares(2, 2, coefficients=a, loc=torch.tensor(-0.7, dtype=torch.float64))
    x = torch.linspace(-4, 4, 17, dtype=torch.float64)
    expected = -0.7 + 0.01 * x
    for row in a:
        for i in range(3):
            for j in range(3):
                expected = expected + row[i] * row[j] * x ** (i + j + 1) / (i + j + 1)
    torch.testing.assert_close(f(x), expected)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-4), (torch.float64, 1e-12)])
def test_inverts_from_the_origin_to_far_out(dtype, tolerance):
    f = SumOfSquares(shape=(6,)).to(dtype)
    torch.nn.init.normal_(f.raw_coefficients)
    x = torch.randn(40, 6, dtype=dtype) * torch.tensor([0.01, 1, 10, 100, 1e3, 1e4], dtype=dtype)
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=tolerance, atol=tolerance)


def test_a_double_root_of_the_slope_is_invertible_by_the_floor():
    f = SumOfSquares(1, 1, coefficients=torch.tensor([[-2.0, 1.0]]), loc=0.0).double()  # slope (x - 2)^2 + 0.01
    x = 2 + torch.linspace(-1e-2, 1e-2, 9, dtype=torch.float64)
    torch.testing.assert_close(f.inverse(f(x)), x, rtol=1e-12, atol=1e-12)


def test_starts_near_the_identity_with_components_that_can_part():
    f = SumOfSquares(2, 3)
    x = torch.linspace(-3, 3, 13)
    assert (f(x) - x).abs().max() < 0.05
    (f(x) * x.cos()).sum().backward()
    first, second = f.raw_coefficients.grad
    assert not torch.allclose(first, second)


@pytest.mark.parametrize("name", ["squares", "degree"])
def test_rejects_bad_arguments(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1; got 0"):
        SumOfSquares(**{name: 0})
