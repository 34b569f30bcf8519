"""Kernels: their formulas, gradients at equal points, and what is refused."""

import pickle

import pytest
import torch

from probgen.infer import DistanceKernel, GaussianKernel, PolynomialKernel, RationalQuadraticKernel
from probgen.infer.divergences.kernels import distances

KERNELS = [
    GaussianKernel((0.5, 2.0)),
    RationalQuadraticKernel((0.2, 3.0)),
    DistanceKernel(),
    DistanceKernel(0.5),
    PolynomialKernel(),
]
kernels = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


def test_formulas():
    x, y = torch.randn(3, 4, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    squared = (x[:, None] - y).square().sum(-1)
    torch.testing.assert_close(distances(x, y), squared.sqrt())
    torch.testing.assert_close(GaussianKernel((0.5, 2.0))(x, y), (-2 * squared).exp() + (-squared / 8).exp())
    torch.testing.assert_close(
        RationalQuadraticKernel((0.2, 3.0))(x, y), (1 + squared / 0.4) ** -0.2 + (1 + squared / 6) ** -3.0
    )
    torch.testing.assert_close(DistanceKernel(0.5)(x, y), -(squared**0.25))


@kernels
def test_kernel_is_symmetric_and_conditionally_positive(kernel):
    x = torch.randn(12, 2, dtype=torch.float64)
    values = kernel(x, x)
    torch.testing.assert_close(values, values.mT)
    centered = values - values.mean(0) - values.mean(1)[:, None] + values.mean()
    assert torch.linalg.eigvalsh(centered)[0] > -1e-12


@kernels
def test_gradient_at_equal_points_is_finite(kernel):
    x = torch.zeros(3, 2, requires_grad=True)
    assert torch.equal(torch.autograd.grad(kernel(x, x.detach()).sum(), x)[0], torch.zeros(3, 2))


def test_near_points_far_away_keep_their_distance():
    x = torch.full((1, 1), 1e4)
    assert distances(x, x + 0.5) == 0.5
    by_products = (2 * x.square() + x + 0.25 - 2 * x * (x + 0.5)).item()
    assert by_products != 0.25  # what the short cut by inner products gives in float32


@kernels
def test_kernels_are_values(kernel):
    assert pickle.loads(pickle.dumps(kernel)) == kernel
    with pytest.raises(AttributeError):
        kernel.power = 2.0


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: GaussianKernel(()), "`bandwidths` must be positive"),
        (lambda: GaussianKernel((1.0, 0.0)), "`bandwidths` must be positive"),
        (lambda: RationalQuadraticKernel((-1.0,)), "`exponents` must be positive"),
        (lambda: PolynomialKernel(0), "`degree` must be at least 1"),
        (lambda: DistanceKernel(2.0), r"`power` must be in \(0, 2\)"),
    ],
)
def test_arguments_are_checked(build, message):
    with pytest.raises(ValueError, match=message):
        build()
