"""Geodesics of geometries where they are known."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions.numerics.interpolation import linear
from probgen.vae.latent_space import Geodesic, geodesic, path_length
from tests.probgen.vae.latent_space.test_metrics import normal_law, sphere


def polar(z):
    """Radius and angle to the plane."""
    return dist.Normal(z[..., :1] * torch.stack([z[..., 1].cos(), z[..., 1].sin()], -1), 1.0).to_event(1)


def test_in_polar_coordinates_geodesics_are_segments_of_the_plane():
    start = torch.tensor([[1.0, 0.0], [2.0, 0.5]]).double()
    end = torch.tensor([[1.0, 1.5], [0.5, 2.0]]).double()
    found = geodesic(polar, start, end, steps=12)
    ends = polar(start).mean, polar(end).mean
    assert isinstance(found, Geodesic)
    assert torch.allclose(found.length, (ends[1] - ends[0]).norm(dim=-1), rtol=1e-6)
    expected = linear(*ends, torch.arange(13) / 12)
    assert torch.allclose(polar(found.points).mean, expected, atol=1e-4)
    assert bool((found.straight_length > found.length).all())
    assert torch.equal(found.points[0], start)
    assert torch.allclose(found.points[-1], end)


def test_on_the_sphere_they_are_great_circles():
    """Chords of T steps on an arc a have the length 2 T sin(a / 2 T)."""
    start, end = torch.tensor([0.6, 0.0]).double(), torch.tensor([0.7, 2.0]).double()
    found = geodesic(sphere, start, end, steps=16)
    a, b = sphere(start).mean, sphere(end).mean
    arc = math.acos(float(a @ b))
    assert float(found.length) == pytest.approx(32 * math.sin(arc / 32), rel=1e-6)
    normal = torch.linalg.cross(a, b)
    assert float((sphere(found.points).mean @ normal).abs().max()) < 1e-4


def test_normal_laws_form_the_hyperbolic_plane():
    r"""Between N(m, s^2) and N(m', s'^2): sqrt 2 arccosh(1 + ((m - m')^2 / 2 + (s - s')^2) / (2 s s'))."""
    start, end = torch.tensor([-1.0, 0.0]).double(), torch.tensor([1.0, 0.0]).double()
    found = geodesic(normal_law, start, end, steps=32, metric="fisher")
    exact = math.sqrt(2) * math.acosh(1 + 2.0 / 2)
    assert float(found.length) == pytest.approx(exact, rel=2e-3)
    assert float(found.straight_length) == pytest.approx(2.0, rel=1e-6)
    assert float(found.points[16, 1]) == pytest.approx(0.5 * math.log(1.5), abs=1e-3)  # wide laws in the middle: a short cut
    finer = geodesic(normal_law, start, end, steps=64, metric="fisher")
    assert abs(float(finer.length) - exact) < abs(float(found.length) - exact)


def test_bernoulli_laws_have_the_length_of_an_arc():
    p, q = torch.tensor(0.1).double(), torch.tensor(0.7).double()
    exact = 2 * torch.acos((p * q).sqrt() + ((1 - p) * (1 - q)).sqrt())
    found = geodesic(lambda z: dist.Bernoulli(logits=z).to_event(1), p.logit()[None], q.logit()[None], metric="fisher")
    assert torch.allclose(found.length, exact, rtol=1e-3)


def test_a_guess_chooses_between_ways():
    """Around the pole on either side: the guess decides."""
    start, end = torch.tensor([1.0, 0.0]).double(), torch.tensor([1.0, 1.9 * math.pi]).double()
    long = geodesic(polar, start, end)
    assert float(long.length) == pytest.approx(2 * math.sin(0.05 * math.pi), rel=1e-3)
    guess = linear(start, end, torch.arange(17) / 16)
    assert torch.allclose(geodesic(polar, start, end, guess=guess, iterations=1).straight_length, long.straight_length)
    assert path_length(polar, guess) == pytest.approx(float(long.straight_length))


def test_inputs_stay_free_of_gradients_and_dtypes_are_kept():
    start = torch.zeros(2, requires_grad=True)
    with torch.no_grad():
        found = geodesic(polar, start + 1, torch.ones(2) * 1.5, steps=4)
    assert found.points.dtype == torch.float32
    assert not found.points.requires_grad
    assert start.grad is None


def test_settings_are_checked():
    with pytest.raises(ValueError, match="one shape"):
        geodesic(polar, torch.zeros(2), torch.zeros(3))
    with pytest.raises(ValueError, match="`steps` must be at least 2; got 1"):
        geodesic(polar, torch.zeros(2), torch.zeros(2), steps=1)
    with pytest.raises(ValueError, match=r"`guess` must have shape \(5, 2\); got \(4, 2\)"):
        geodesic(polar, torch.zeros(2), torch.zeros(2), steps=4, guess=torch.zeros(4, 2))


def test_no_ends_have_no_path():
    nothing = torch.zeros(0, 2)
    found = geodesic(lambda z: dist.Normal(z, 1.0).to_event(1), nothing, nothing, steps=3)
    assert found.points.shape == (4, 0, 2)
    assert found.length.shape == (0,)
