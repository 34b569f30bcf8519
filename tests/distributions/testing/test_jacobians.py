"""Jacobians and log-determinants in free coordinates against closed forms."""

import torch
from torch.distributions import biject_to, constraints

from probgen.distributions.testing import autograd_log_det, free_coordinates, jacobian


def test_jacobian_of_a_linear_map():
    matrix = torch.randn(3, 2)
    found = jacobian(lambda x: x @ matrix.mT, torch.randn(5, 2), 1, 1)
    assert torch.allclose(found, matrix.expand(5, 3, 2))


def test_jacobian_of_a_constant_is_zero():
    assert torch.equal(jacobian(lambda x: torch.ones(4), torch.randn(4), 0, 0), torch.zeros(4, 1, 1))


def test_log_det_on_simplex_and_triangle_is_that_of_torch():
    for constraint, shape in ((constraints.simplex, (4, 3)), (constraints.corr_cholesky, (4, 3, 3))):
        chart = biject_to(constraint)
        u = torch.randn(chart.inverse_shape(shape), dtype=torch.float64)
        y = chart(u)
        found = autograd_log_det(chart, u, chart.domain, constraint)
        assert torch.allclose(found, chart.log_abs_det_jacobian(u, y))
        assert free_coordinates(constraint, y).shape == u.shape


def test_rotation_of_the_sphere_keeps_areas():
    x = torch.nn.functional.normalize(torch.randn(4, 3, dtype=torch.float64), dim=-1)
    rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0]
    from pyro.distributions.constraints import sphere

    log_det = autograd_log_det(lambda value: value @ rotation.mT, x, sphere, sphere)
    assert torch.allclose(log_det, torch.zeros(4, dtype=torch.float64), atol=1e-12)
