"""Spherical coordinates and rotations of the sphere."""

import math

import pytest
import torch

from probgen.distributions.bijectors import SphereRotation, SphericalCoordinates


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_surface_element_against_autograd(dim):
    f = SphericalCoordinates(dim)
    x = torch.linspace(0.5, 2.0, dim, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(f, x)
    expected = 0.5 * torch.linalg.slogdet(jacobian.mT @ jacobian).logabsdet
    y, log_det = f.forward_and_log_det(x)
    torch.testing.assert_close(log_det, expected)
    torch.testing.assert_close(f.inverse(y), x)
    torch.testing.assert_close(f.inverse_log_det_jacobian(y), -expected)


def test_positions_near_the_poles_keep_their_digits():
    f = SphericalCoordinates(2)
    for polar in (1e-5, math.pi - 1e-3):
        y = f(torch.tensor([polar, 0.7]))
        torch.testing.assert_close(f(f.inverse(y)), y, rtol=0, atol=2e-7)


def test_rotations_keep_lengths_and_orientation():
    torch.manual_seed(0)
    f = SphereRotation(4).double()
    eye = torch.eye(4, dtype=torch.float64)
    matrix = f(eye)
    torch.testing.assert_close(matrix @ matrix.mT, eye)
    assert torch.linalg.det(matrix) > 0
    torch.testing.assert_close(SphereRotation(3, start="identity")(torch.eye(3)).detach(), torch.eye(3))


def test_wrong_arguments():
    with pytest.raises(ValueError, match="`dim`"):
        SphericalCoordinates(0)
    with pytest.raises(ValueError, match="`reflections`"):
        SphereRotation(3, 3)
    with pytest.raises(ValueError, match="`start`"):
        SphereRotation(3, start="random")
