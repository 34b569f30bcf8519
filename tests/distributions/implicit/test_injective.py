"""Densities on manifolds, against closed forms: subspaces, curves, the sphere, the log-normal law."""

import math

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro import poutine

from probgen.distributions import DensityUnavailable, StandardUniform, standard_normal
from probgen.distributions.implicit import InjectiveDistribution, InjectiveLinear


class Sphere(torch.nn.Module):
    """Height and longitude, both from [0, 1], to the unit sphere."""

    def forward(self, z):
        height, angle = 2 * z[:, :1] - 1, 2 * math.pi * z[:, 1:]
        radius = (1 - height.square()).sqrt()
        return torch.cat([radius * angle.cos(), radius * angle.sin(), height], -1)

    def inverse(self, x):
        angle = torch.atan2(x[:, 1:2], x[:, :1]) / (2 * math.pi)
        return torch.cat([(x[:, 2:] + 1) / 2, torch.where(angle < 0, angle + 1, angle)], -1)


class Exponential(torch.nn.Module):
    """The line onto the half-line."""

    def forward(self, z):
        return z.exp()

    def inverse(self, x):
        return x.log()


def plane():
    torch.manual_seed(1)
    return InjectiveLinear(torch.randn(3, 2, dtype=torch.float64), torch.randn(3, dtype=torch.float64))


def test_a_subspace_has_the_volume_of_its_matrix():
    line = plane()
    p, z = InjectiveDistribution(standard_normal(2), line, (3,)), torch.randn(4, 2, dtype=torch.float64)
    x = line(z)
    expected = standard_normal(2).log_prob(z) - 0.5 * torch.logdet(line.matrix.mT @ line.matrix)
    torch.testing.assert_close(p.log_prob(x), expected)
    torch.testing.assert_close(p.log_prob_at_noise(z), expected)
    torch.testing.assert_close(p.noise_of(x), z)
    assert p.log_prob_kind == "exact"


def test_as_many_coordinates_give_the_change_of_variables():
    matrix, shift = torch.tensor([[2.0, 0.0], [1.0, 3.0]]), torch.tensor([1.0, -1.0])
    p = InjectiveDistribution(standard_normal(2), InjectiveLinear(matrix, shift), (2,))
    x = torch.randn(5, 2)
    torch.testing.assert_close(p.log_prob(x), dist.MultivariateNormal(shift, matrix @ matrix.mT).log_prob(x))
    half = InjectiveDistribution(standard_normal(1), Exponential(), (1,))
    positive = torch.tensor([[0.1], [1.0], [7.0]])
    torch.testing.assert_close(half.log_prob(positive), dist.LogNormal(0.0, 1.0).log_prob(positive[:, 0]))


def test_archimedes():
    """Height and longitude that are uniform make points uniform on the sphere: the density is one over its area, 4 pi."""
    p = InjectiveDistribution(StandardUniform((2,), dtype=torch.float64), Sphere(), (3,))
    x = torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64), dim=-1)
    torch.testing.assert_close(p.log_prob(x), torch.full((50,), -math.log(4 * math.pi), dtype=torch.float64))
    drawn, log_prob = p.rsample_and_log_prob((7,))
    torch.testing.assert_close(drawn.norm(dim=-1), torch.ones(7, dtype=torch.float64))
    torch.testing.assert_close(log_prob, torch.full((7,), -math.log(4 * math.pi), dtype=torch.float64))


def test_off_the_manifold_there_is_nothing():
    p = InjectiveDistribution(standard_normal(2), plane(), (3,), validate_args=False)
    x = p.sample()
    normal = torch.linalg.svd(p.generator.matrix).U[:, 2]
    assert p.log_prob(x).isfinite()
    assert p.log_prob(x + 0.1 * normal) == -math.inf
    assert not p.support.check(x + 0.1 * normal)
    wider = InjectiveDistribution(standard_normal(2), plane(), (3,), tolerance=1.0, validate_args=False)
    torch.testing.assert_close(wider.log_prob(x + 0.1 * normal), p.log_prob(x))
    with pytest.raises(ValueError, match="must lie in the support Image"):
        InjectiveDistribution(standard_normal(2), plane(), (3,)).log_prob(x + 0.1 * normal)


def test_without_an_inverse_only_known_noise_is_scored():
    network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4)).double()
    p = InjectiveDistribution(standard_normal(2), network, (4,))
    assert p.log_prob_kind == "none"
    with pytest.raises(DensityUnavailable, match=r"log_prob_at_noise\(z\)"):
        p.log_prob(p.sample())
    with pytest.raises(DensityUnavailable, match=r"probgen\.gan\.invert"):
        p.noise_of(p.sample())
    z = torch.randn(3, 2, dtype=torch.float64)
    jacobians = torch.stack([torch.autograd.functional.jacobian(network, row) for row in z])
    expected = standard_normal(2).log_prob(z) - 0.5 * torch.logdet(jacobians.mT @ jacobians)
    torch.testing.assert_close(p.log_prob_at_noise(z), expected)


def test_the_gradient_of_the_volume():
    """The derivative of -log det(A'A)/2 by A is minus the transposed pseudo-inverse."""
    line = plane()
    InjectiveDistribution(standard_normal(2), line, (3,)).log_prob_at_noise(torch.zeros(2, dtype=torch.float64)).backward()
    torch.testing.assert_close(line.matrix.grad, -torch.linalg.pinv(line.matrix.detach()).mT)


def test_batches_plates_and_images():
    shaped = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Unflatten(1, (2, 2, 2)))
    image = InjectiveDistribution(standard_normal(3), shaped, (2, 2, 2)).expand((4,))
    assert image.sample((5,)).shape == (5, 4, 2, 2, 2)
    assert image.log_prob_at_noise(torch.zeros(5, 4, 3)).shape == (5, 4)
    assert image.log_prob_at_noise(torch.zeros(0, 4, 3)).shape == (0, 4)
    p = InjectiveDistribution(standard_normal(2), plane(), (3,))

    def model():
        with pyro.plate("data", 6):
            return pyro.sample("x", p)

    trace = poutine.trace(model).get_trace()
    trace.compute_log_prob()
    assert trace.nodes["x"]["log_prob"].shape == (6,)
    assert p.implicit().sample((2,)).shape == (2, 3)


def test_draws_need_room_for_the_noise():
    with pytest.raises(ValueError, match=r"`event_shape` must have at least the 3 coordinates of the noise; got \(2,\)"):
        InjectiveDistribution(standard_normal(3), torch.nn.Linear(3, 2), (2,))
