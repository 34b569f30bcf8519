"""Solves on rows and accumulated reflections, against dense linear algebra."""

import pytest
import torch

from probgen.distributions.numerics.linear import full_precision, reflect, solve_lower, solve_upper


@pytest.mark.parametrize("batch", [(), (5,), (2, 3), (0,), (2, 0)])
@pytest.mark.parametrize("solve", [solve_lower, solve_upper])
def test_triangular_solves(batch, solve):
    matrix = torch.randn(4, 4, dtype=torch.float64)
    matrix = (matrix.tril() if solve is solve_lower else matrix.triu()) + 4 * torch.eye(4, dtype=torch.float64)
    rows = torch.randn(*batch, 4, dtype=torch.float64)
    torch.testing.assert_close(solve(matrix, rows) @ matrix.mT, rows)


def test_half_precision_is_solved_in_single():
    matrix = torch.eye(3, dtype=torch.bfloat16)
    assert solve_lower(matrix, torch.ones(2, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


@pytest.mark.parametrize("count", [1, 2, 5, 9])
def test_accumulated_reflections_equal_the_product(count):
    vectors = torch.randn(count, 5, dtype=torch.float64)
    product = torch.eye(5, dtype=torch.float64)
    for v in vectors:
        product = product @ (torch.eye(5, dtype=torch.float64) - 2 * torch.outer(v, v) / v.dot(v))
    rows = torch.randn(3, 5, dtype=torch.float64)
    torch.testing.assert_close(reflect(rows, vectors), rows @ product.mT)
    torch.testing.assert_close(reflect(rows, vectors, transpose=True), rows @ product)


def test_a_zero_vector_reflects_nothing_and_has_a_finite_gradient():
    vectors = torch.zeros(2, 3, requires_grad=True)
    rows = torch.randn(4, 3)
    y = reflect(rows, vectors)
    torch.testing.assert_close(y.detach(), rows)
    y.sum().backward()
    assert vectors.grad.isfinite().all()


def test_full_precision_is_inert_on_devices_without_autocast():
    with full_precision(torch.ones(1, device="meta")):
        assert torch.ones(1).dtype == torch.float32
