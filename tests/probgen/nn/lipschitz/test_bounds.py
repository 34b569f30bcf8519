"""Gram iteration bounds spectral norms from above, and convolutions as maps of whole images."""

import pytest
import torch
import torch.nn.functional as F

from probgen.nn import convolution_norm_bound, spectral_norm_bound


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_bound_lies_above_the_norm_and_close(dtype, scale):
    torch.manual_seed(0)
    for rows, columns in ((1, 1), (3, 7), (16, 16), (40, 5)):
        matrix = scale * torch.randn(6, rows, columns, dtype=dtype)
        norm = torch.linalg.matrix_norm(matrix.double(), 2)
        bound = spectral_norm_bound(matrix).double()
        assert (bound >= norm).all()
        assert (bound <= norm * (1.01 * min(rows, columns) ** (1 / 128))).all()


def test_worst_case_is_many_equal_singular_values():
    bound = spectral_norm_bound(torch.eye(32))
    assert 1.0 <= bound <= 32 ** (1 / 128) * 1.0001


def test_zero_matrix_has_norm_zero_and_a_finite_gradient():
    matrix = torch.zeros(3, 3, requires_grad=True)
    bound = spectral_norm_bound(matrix)
    bound.backward()
    assert bound < 1e-30
    assert matrix.grad.isfinite().all()


def test_gradient_is_that_of_the_largest_singular_value():
    torch.manual_seed(0)
    matrix = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)
    (got,) = torch.autograd.grad(spectral_norm_bound(matrix, iterations=12), matrix)
    (expected,) = torch.autograd.grad(torch.linalg.matrix_norm(matrix, 2), matrix)
    assert torch.allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_convolution_with_zero_padding_is_bounded(kernel):
    """Against the whole matrix of the convolution on 4 x 5 images."""
    torch.manual_seed(0)
    weight = torch.randn(3, 2, kernel, kernel, dtype=torch.float64)
    images = torch.eye(40, dtype=torch.float64).reshape(40, 2, 4, 5)
    matrix = F.conv2d(images, weight, padding=kernel // 2).flatten(1)
    norm, bound = torch.linalg.matrix_norm(matrix, 2), convolution_norm_bound(weight, (4, 5))
    assert norm <= bound <= 1.6 * norm
    if kernel > 1:  # the norm of the weight as a matrix is no bound
        assert torch.linalg.matrix_norm(weight.flatten(1), 2) < norm


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="`matrix` must be"):
        spectral_norm_bound(torch.zeros(3))
    with pytest.raises(ValueError, match="`weight` must be"):
        convolution_norm_bound(torch.zeros(3, 3), (4, 4))


@pytest.mark.parametrize("scale", [1e-30, 1e-38, 1e30])
def test_bounds_hold_at_any_scale_with_finite_gradients(scale):
    torch.manual_seed(0)
    matrix = (scale * torch.randn(20, 30)).requires_grad_()
    bound = spectral_norm_bound(matrix)
    (gradient,) = torch.autograd.grad(bound, matrix)
    norm = torch.linalg.matrix_norm(matrix.detach().double(), 2)
    assert norm * (1 - 1e-6) <= bound.double() <= 1.05 * norm
    assert torch.allclose((gradient * matrix.detach()).sum().double(), bound.double(), rtol=1e-3)  # Euler's identity
