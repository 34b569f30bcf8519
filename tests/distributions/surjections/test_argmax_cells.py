"""Coordinates of the argmax's cells: one-to-one, with the determinant that autograd finds, safe far out."""

import pytest
import torch
from torch.nn.functional import one_hot

from probgen.distributions.surjections import Argmax
from probgen.distributions.surjections.argmax_cells import CellKind, cell_coordinates, cell_point

KINDS = ("threshold", "gumbel")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("largest", [0, 2])
def test_determinants_are_those_of_the_jacobian(kind: CellKind, largest):
    torch.manual_seed(0)
    r = torch.randn(4, dtype=torch.float64)
    chosen = one_hot(torch.tensor(largest), 4).bool()
    u, log_det = cell_point(r, chosen, kind)
    jacobian = torch.autograd.functional.jacobian(lambda value: cell_point(value, chosen, kind)[0], r)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, log_det, rtol=1e-10, atol=1e-10)
    back, inverse = cell_coordinates(u, chosen, kind)
    torch.testing.assert_close(back, r, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(inverse, -log_det, rtol=1e-9, atol=1e-9)
    jacobian = torch.autograd.functional.jacobian(lambda value: cell_coordinates(value, chosen, kind)[0], u)
    torch.testing.assert_close(torch.linalg.slogdet(jacobian).logabsdet, inverse, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_largest_stays_the_largest_far_out(kind: CellKind, dtype):
    """Where softplus underflows, rounding would make a tie, and the argmax would be another category."""
    torch.manual_seed(0)
    r = (50 * torch.randn(2000, 5, dtype=dtype)).requires_grad_()
    code = torch.randint(5, (2000,))
    u, log_det = cell_point(r, one_hot(code, 5).bool(), kind)
    assert torch.equal(u.argmax(-1), code)
    assert u.isfinite().all()
    assert log_det.isfinite().all()
    gradient = torch.autograd.grad(log_det.sum() + u.sum(), r)[0]
    assert gradient.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_cell_is_filled(kind: CellKind):
    """Any point with the right argmax has coordinates that lead back to it."""
    torch.manual_seed(0)
    u = 3 * torch.randn(500, 4, dtype=torch.float64)
    chosen = one_hot(u.argmax(-1), 4).bool()
    r, _ = cell_coordinates(u, chosen, kind)
    torch.testing.assert_close(cell_point(r, chosen, kind)[0], u, rtol=1e-7, atol=1e-7)


def test_arguments_of_the_argmax():
    with pytest.raises(ValueError, match="`categories`"):
        Argmax(1)
    with pytest.raises(ValueError, match="`cell`"):
        Argmax(3, cell="softmax")
    with pytest.raises(ValueError, match="needs 3 numbers"):
        Argmax(3)(torch.zeros(4))
    with pytest.raises(ValueError, match="`context_shape`"):
        Argmax(3, context_shape=(2,))
