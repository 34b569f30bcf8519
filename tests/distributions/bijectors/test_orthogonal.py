"""The matrix exponential of a skew matrix: a rotation, of exactly zero log-determinant."""

import pytest
import torch

from probgen.distributions.bijectors import Orthogonal


@pytest.mark.parametrize("features", [1, 2, 9])
def test_is_a_rotation_for_any_parameters(features):
    f = Orthogonal(features, start="rotation").double()
    f.above.data *= 5
    matrix = f.matrix
    torch.testing.assert_close(matrix @ matrix.mT, torch.eye(features, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.det(matrix).item(), 1.0)
    assert f.forward_log_det_jacobian(torch.randn(3, features, dtype=torch.float64)).tolist() == [0.0] * 3


def test_starts_at_the_identity_and_can_leave_it():
    f = Orthogonal(3)
    torch.testing.assert_close(f.matrix, torch.eye(3))
    f(torch.tensor([1.0, 2.0, 3.0]))[0].backward()
    assert f.above.grad.triu(1).abs().sum() > 0


def test_rejects_an_unknown_start():
    with pytest.raises(ValueError, match='`start` must be "identity" or "rotation"; got \'eye\''):
        Orthogonal(2, start="eye")
