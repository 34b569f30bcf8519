"""Segments and arcs: arcs keep lengths and the variance of noise, parallel points have no singularity."""

import pytest
import torch

from probgen.diffusion import samplers
from probgen.distributions.numerics.interpolation import linear, spherical


def test_arcs_keep_lengths_and_angles():
    torch.manual_seed(0)
    a, b = torch.randn(4, 3, 5).double(), torch.randn(4, 3, 5).double()
    a, b = (v / v.flatten(1).norm(dim=1).reshape(4, 1, 1) for v in (a, b))
    arc = spherical(a, b, [0.0, 0.25, 0.5, 1.0], event_dim=2)
    assert torch.allclose(arc.flatten(2).norm(dim=-1), torch.ones(4, 4).double())
    assert torch.allclose(arc[0], a)
    assert torch.allclose(arc[-1], b)
    angles = torch.acos((arc * a).sum((-1, -2)))
    assert torch.allclose(angles[1], angles[3] / 4)
    assert torch.allclose(angles[2], angles[3] / 2)


def test_spherical_keeps_the_variance_and_linear_does_not():
    torch.manual_seed(0)
    a, b = torch.randn(2, 200, 500).double()
    assert float(spherical(a, b, [0.5]).var()) == pytest.approx(1.0, abs=0.02)
    assert float(linear(a, b, [0.5]).var()) == pytest.approx(0.5, abs=0.02)


def test_parallel_points():
    a = torch.ones(2, 3)
    assert torch.allclose(spherical(a, 3 * a, [0.5]), 2 * a.unsqueeze(0))
    x = a.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(spherical(x, a, [0.3]).sum(), x)
    assert bool(gradient.isfinite().all())


def test_from_zero_the_arc_is_a_segment_with_derivatives():
    zero, b = torch.zeros(2, 3, requires_grad=True), torch.ones(2, 3)
    path = spherical(zero, b, [0.25])
    assert torch.equal(path, (0.25 * b).unsqueeze(0))
    assert torch.equal(torch.autograd.grad(path.sum(), zero)[0], torch.full((2, 3), 0.75))


def test_samplers_offer_the_same_functions():
    assert samplers.linear is linear
    assert samplers.spherical is spherical
