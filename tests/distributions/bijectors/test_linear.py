"""What all linear bijectors promise: the matrix, its determinant, its inverse, precision, bounded diagonals."""

import pytest
import torch

from probgen.distributions.bijectors import Householder, LowerTriangular, LULinear, Orthogonal, QRLinear

MAKERS = {
    "triangular": lambda: LowerTriangular(4),
    "lu": lambda: LULinear(4, start="rotation"),
    "qr": lambda: QRLinear(4, start="rotation"),
    "householder": lambda: Householder(4),
    "orthogonal": lambda: Orthogonal(4, start="rotation"),
}


def _rough(make):
    f = make().double()
    for parameter in f.parameters():
        parameter.data += 0.5 * torch.randn_like(parameter)
    return f


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_agrees_with_its_dense_matrix(make):
    f = _rough(make)
    x = torch.randn(7, 4, dtype=torch.float64)
    loc = 0 if f.loc is None else f.loc
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(y, x @ f.matrix.mT + loc)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(f.matrix).logabsdet.expand(7), rtol=0, atol=1e-12)
    torch.testing.assert_close(f.inverse(y), torch.linalg.solve(f.matrix, (y - loc).mT).mT)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_keeps_single_precision_under_autocast(make):
    f, x = make(), torch.randn(5, 4)
    expected = f.forward_and_log_det(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(f.forward_and_log_det(x), expected, rtol=0, atol=0)
        y, _ = f.forward_and_log_det(x.bfloat16())
        assert y.dtype == torch.float32
        torch.testing.assert_close(f.inverse(expected[0]), x, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", [MAKERS["triangular"], MAKERS["lu"], MAKERS["qr"]], ids=["triangular", "lu", "qr"])
def test_the_diagonal_is_bounded_whatever_the_parameters(make):
    f = make()
    for value in (-1e9, 1e9):
        f.raw_diagonal.data.fill_(value)
        log_det = f.forward_log_det_jacobian(torch.zeros(4))
        assert log_det.abs() <= 4 * torch.tensor(100.0).log() + 1e-4


def test_rejects_no_features():
    with pytest.raises(ValueError, match="`features` must be at least 1; got 0"):
        LowerTriangular(0)
