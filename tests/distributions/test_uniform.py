"""Uniform laws on spheres and rotations."""

import math

import pytest
import torch

from probgen.distributions import Uniform, UniformRotation, UniformSphere


def test_areas_of_spheres():
    for dim, area in ((1, 2 * math.pi), (2, 4 * math.pi), (3, 2 * math.pi**2)):
        law = UniformSphere(dim, validate_args=True)
        assert isinstance(law, Uniform)
        assert abs(float(law.log_prob(torch.eye(dim + 1)[0])) + math.log(area)) < 1e-6
        assert abs(float(law.entropy()) - math.log(area)) < 1e-6


def test_outside_there_is_no_density():
    with pytest.raises(ValueError, match="support"):
        UniformSphere(2, validate_args=True).log_prob(torch.ones(3))
    assert UniformRotation(validate_args=False).log_prob(-torch.eye(3)) == -math.inf
    assert UniformSphere(2, validate_args=False).log_prob(torch.tensor([math.nan, 0.0, 1.0])).isnan()


@pytest.mark.statistical(false_alarm=1e-9)
def test_moments_of_uniform_draws():
    """Entries of a rotation have mean 0 and second moment 1/3: 40 000 draws see a deviation of 0.02 (Hoeffding)."""
    torch.manual_seed(0)
    draws = UniformRotation().sample((40_000,))
    limit = math.sqrt(2 * math.log(36 / 1e-9) / 40_000)
    assert draws.mean(0).abs().max() < limit
    assert (draws.square().mean(0) - 1 / 3).abs().max() < limit / 2


def test_wrong_dimension():
    with pytest.raises(ValueError, match="`dim`"):
        UniformSphere(0)
