"""Flows on supports: supports are true, densities integrate to one."""

import math

import pytest
import torch
from torch.distributions import constraints

from probgen.distributions import default_base, flow_on, standard_uniform
from probgen.distributions.bijectors import Affine, CircularSpline, Concat, CylinderToSphere, Exp, Permutation, Shift, ToSupport
from probgen.distributions.constraints import circular, product, torus, unit_sphere
from probgen.flows import neural_spline_coupling

SUPPORTS = [
    (constraints.simplex, (3,)),
    (constraints.interval(-1.0, 2.0), (2,)),
    (constraints.positive, (2,)),
    (constraints.greater_than(3.0), ()),
    (unit_sphere, (3,)),
    (torus, (2,)),
    (product((constraints.positive, 1), (constraints.simplex, 2), (unit_sphere, 3)), (6,)),
]


@pytest.mark.parametrize(("support", "event"), SUPPORTS, ids=str)
def test_the_support_is_the_one_asked_for(support, event):
    latent = torch.distributions.biject_to(support).inverse_shape(event)
    d = flow_on(support, Affine(shape=latent), event_shape=event)
    assert d.event_shape == event
    extra = len(event) - support.event_dim
    assert repr(d.support) == repr(constraints.independent(support, extra) if extra else support)
    x = d.sample((200,))
    assert d.support.check(x).all()
    assert d.log_prob(x).isfinite().all()


def perturbed(f, scale=0.7):
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(scale * torch.randn_like(parameter))
    return f.double()


def test_density_on_an_interval_integrates_to_one():
    d = flow_on(constraints.interval(-1.0, 2.0), perturbed(Affine(shape=())))
    x = torch.linspace(-1, 2, 20_001, dtype=torch.float64)
    x = (x[1:] + x[:-1]) / 2
    assert d.log_prob(x).exp().mean().item() * 3 == pytest.approx(1, abs=1e-5)


def test_density_on_the_simplex_integrates_to_one():
    d = flow_on(constraints.simplex, perturbed(neural_spline_coupling(2, layers=2, hidden=(8,)), 0.2))
    grid = (torch.arange(400, dtype=torch.float64) + 0.5) / 400
    x, y = torch.meshgrid(grid, grid, indexing="ij")
    inside = x + y < 1
    points = torch.stack([x, y, 1 - x - y], -1)[inside]
    mass = d.log_prob(points / points.sum(-1, keepdim=True)).exp().sum().item() / 400**2
    assert mass == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("kind", ["stereographic", "cylinder"])
def test_density_on_the_sphere_integrates_to_one_over_its_area(kind):
    if kind == "stereographic":
        d = flow_on(unit_sphere, perturbed(neural_spline_coupling(2, layers=2, hidden=(8,)), 0.2))
    else:
        interval = constraints.interval(-1.0, 1.0)
        heights = ToSupport(interval).inv >> Shift(shape=(1,)) >> ToSupport(interval)
        f = Concat(heights, CircularSpline(4), sizes=[1, 1])
        base = standard_uniform(2, low=-1.0, high=1.0)
        d = flow_on(
            unit_sphere,
            Concat(Affine(0.0, 1.0), Affine(0.0, math.pi), sizes=[1, 1]) >> perturbed(f) >> CylinderToSphere(),
            base=base,
        )
    height = (torch.arange(300, dtype=torch.float64) + 0.5) / 150 - 1
    angle = (torch.arange(300, dtype=torch.float64) + 0.5) / 300 * 2 * math.pi - math.pi
    z, phi = torch.meshgrid(height, angle, indexing="ij")
    radius = (1 - z**2).sqrt()
    points = torch.stack([radius * phi.cos(), radius * phi.sin(), z], -1)
    points = points / points.norm(dim=-1, keepdim=True)
    assert d.log_prob(points).exp().mean().item() * 4 * math.pi == pytest.approx(1, abs=5e-3)


def test_circular_flow_on_the_torus():
    f = perturbed(CircularSpline(8, shape=(2,)))
    d = flow_on(torus, f, event_shape=(2,))
    assert repr(d.support) == repr(torus)
    grid = (torch.arange(500, dtype=torch.float64) + 0.5) / 500 * 2 * math.pi - math.pi
    points = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1)
    assert d.log_prob(points).exp().mean().item() * 4 * math.pi**2 == pytest.approx(1, abs=5e-3)
    seam = torch.tensor([[-math.pi, 0.0], [math.pi, 0.0]], dtype=torch.float64)
    torch.testing.assert_close(*d.log_prob(seam))


def test_default_bases():
    assert default_base(CircularSpline(4), (3,)).support.check(torch.full((3,), 3.0))
    assert default_base(Permutation([1, 0])).event_shape == (2,)
    with pytest.raises(ValueError, match="`base` must be given"):
        default_base(Exp().inv)
    with pytest.raises(ValueError, match="must end on the reals or on Simplex"):
        flow_on(constraints.simplex, Exp())
    assert flow_on(circular, CircularSpline(4)).event_shape == ()
