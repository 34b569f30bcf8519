"""Householder products and QR: orthogonality, starts, arguments."""

import pytest
import torch

from probgen.distributions.bijectors import Householder, QRLinear


@pytest.mark.parametrize("reflections", [1, 3, 8])
def test_householder_is_orthogonal_of_the_right_determinant(reflections):
    matrix = Householder(5, reflections).double().matrix
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(5, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.det(matrix).item(), (-1.0) ** reflections)


def test_the_length_of_the_vectors_does_not_matter():
    f = Householder(4)
    before = f.matrix.detach().clone()
    f.vectors.data *= 1e4
    torch.testing.assert_close(f.matrix, before, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("features", [1, 2, 3, 6])
def test_equal_pairs_start_at_the_identity(features):
    torch.testing.assert_close(Householder(features, start="identity").matrix, torch.eye(features), rtol=0, atol=1e-5)
    torch.testing.assert_close(QRLinear(features).matrix, torch.eye(features), rtol=0, atol=1e-5)


def test_qr_reaches_a_given_matrix():
    torch.manual_seed(0)
    target = torch.randn(3, 3, dtype=torch.float64)
    f = QRLinear(3, start="rotation", loc=False).double()
    if torch.linalg.det(target) * torch.linalg.det(f.matrix) < 0:
        target[0] *= -1
    optimizer = torch.optim.LBFGS(f.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = (f.matrix - target).square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    torch.testing.assert_close(f.matrix, target, rtol=0, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reflections": 0, "start": "rotation"}, "`reflections` must be at least 1; got 0"),
        ({"reflections": 3, "start": "identity"}, "an odd number of reflections cannot start at the identity"),
        ({"start": "eye"}, "`start` must be"),
    ],
)
def test_rejects_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Householder(4, **arguments)
