"""Charts of the sphere."""

import math

import torch

from probgen.distributions.bijectors import CylinderToSphere, Stereographic


def gram_log_det(f, x):
    jacobian = torch.autograd.functional.jacobian(f, x)
    return 0.5 * torch.linalg.slogdet(jacobian.mT @ jacobian).logabsdet


def test_surface_elements():
    for f, x in (
        (Stereographic(), torch.randn(4, dtype=torch.float64)),
        (CylinderToSphere(), torch.tensor([0.4, 2.0]).double()),
    ):
        torch.testing.assert_close(f.forward_log_det_jacobian(x), gram_log_det(f, x))


def test_stereographic_projection_near_the_pole():
    u = torch.tensor([[1e4, -3e3], [1e-6, 0.0], [0.0, 0.0]])
    x = Stereographic()(u)
    torch.testing.assert_close(Stereographic().inverse(x), u, rtol=1e-5, atol=1e-6)


def test_shapes_and_poles():
    assert Stereographic().forward_shape((5, 2)) == (5, 3)
    assert Stereographic().inverse_shape((5, 3)) == (5, 2)
    z = torch.tensor([[1.0, 0.5], [-1.0, math.pi]], requires_grad=True)
    CylinderToSphere()(z).sum().backward()
    assert z.grad.isfinite().all()
