"""Charts of the rotations of space."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from probgen.distributions import UniformRotation
from probgen.distributions.bijectors import CayleyRotation, EulerAngles, RotationProduct, matrix_of_quaternion


def test_matrices_are_those_of_scipy():
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    expected = Rotation.from_quat(q[:, [1, 2, 3, 0]].numpy()).as_matrix()
    torch.testing.assert_close(matrix_of_quaternion(q), torch.as_tensor(expected))
    a = torch.rand(50, 3, generator=generator, dtype=torch.float64) * 3
    expected = Rotation.from_euler("ZYZ", a.numpy()).as_matrix()
    torch.testing.assert_close(EulerAngles()(a), torch.as_tensor(expected))
    v = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    angle = 2 * v.norm(dim=-1, keepdim=True).atan()
    expected = Rotation.from_rotvec((angle * v / v.norm(dim=-1, keepdim=True)).numpy()).as_matrix()
    torch.testing.assert_close(CayleyRotation()(v), torch.as_tensor(expected))


def test_inverses_at_and_near_the_singular_rotations():
    angles = torch.tensor([[0.4, 1e-4, -2.0], [0.4, math.pi - 1e-4, 1.0], [1.0, 0.0, 2.0], [2.0, 1.5, 3.0]])
    matrix = EulerAngles()(angles)
    torch.testing.assert_close(EulerAngles()(EulerAngles().inverse(matrix)), matrix, rtol=0, atol=2e-6)
    v = torch.tensor([[1e3, -2e3, 5e2], [0.0, 0.0, 0.0], [0.0, -40.0, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(CayleyRotation().inverse(CayleyRotation()(v)), v, rtol=1e-6, atol=1e-12)


def test_haar_measure_has_mass_one_in_both_charts():
    radius = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000 * math.pi / 2  # midpoint rule
    v = radius.tan()[:, None] * torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    density = CayleyRotation().forward_log_det_jacobian(v).exp() * 4 * math.pi * v[:, 0] ** 2 / radius.cos() ** 2
    assert abs(float(density.mean()) * math.pi / 2 - 1) < 1e-6
    beta = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    angles = torch.stack([torch.zeros_like(beta), beta, torch.zeros_like(beta)], -1)
    density = EulerAngles().forward_log_det_jacobian(angles).exp() * (2 * math.pi) ** 2
    assert abs(float(torch.trapezoid(density, beta)) - 1) < 1e-6


def test_a_product_moves_every_rotation_alike():
    f = RotationProduct(start="rotation", generator=torch.Generator().manual_seed(0)).double()
    x = UniformRotation(dtype=torch.float64).sample((5,))
    torch.testing.assert_close(f(x) @ x.mT, f(torch.eye(3, dtype=torch.float64)).expand(5, 3, 3))
    with pytest.raises(ValueError, match="`start`"):
        RotationProduct(start="random")
