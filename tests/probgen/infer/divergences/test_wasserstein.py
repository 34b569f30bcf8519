"""The Wasserstein distance on the line, and what holds the critic's slope."""

import math

import pytest
import torch

from probgen.infer import GradientPenalty, Wasserstein
from tests.probgen.infer.divergences.line import X, expected_estimate, normal, normal_cdf

# E|1 + Z|: the quantile functions z and 1 + 2 z are |1 + z| apart.
BOTH = math.sqrt(2 / math.pi) * math.exp(-0.5) + 1 - 2 * normal_cdf(-1.0)


@pytest.mark.parametrize(
    ("critic", "mean", "scale", "distance"),
    [(-X, 1.0, 1.0, 1.0), (-X.abs(), 0.0, 2.0, math.sqrt(2 / math.pi)), (-(X + 1).abs(), 1.0, 2.0, BOTH)],
    ids=["shifted", "wider", "both"],
)
def test_dual_gives_the_distance_between_normal_laws(critic, mean, scale, distance):
    value = expected_estimate(Wasserstein(), critic, q=normal(mean, scale))
    assert value == pytest.approx(distance, abs=1e-10)


def test_primal_agrees_with_the_dual():
    # On the line the distance is the area between the distribution functions: 1.16663094.
    z = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    x = torch.linspace(-30, 30, 600_001, dtype=torch.float64)
    area = torch.trapezoid((z.cdf(x) - z.cdf((x - 1) / 2)).abs(), x)
    assert float(area) == pytest.approx(BOTH, abs=1e-8)


def test_point_masses_are_as_far_as_they_are():
    for theta in (0.01, 0.5, 100.0):
        real, fake = torch.tensor([0.0]), torch.tensor([theta])
        assert Wasserstein().estimate(-real, -fake) == pytest.approx(theta)


def test_clipping_bounds_every_parameter_in_place():
    critic = torch.nn.Linear(3, 2)
    weight = critic.weight
    Wasserstein(clip=0.01).constrain(critic)
    assert critic.weight is weight
    assert max(float(parameter.detach().abs().max()) for parameter in critic.parameters()) <= 0.01
    before = weight.clone()
    Wasserstein(10.0).constrain(critic)
    assert torch.equal(weight, before)


def test_penalty_belongs_to_the_divergence():
    assert Wasserstein().penalties == Wasserstein(clip=0.1).penalties == ()
    (two_sided,), (one_sided,) = Wasserstein(10.0).penalties, Wasserstein(lipschitz_penalty=5.0).penalties
    assert isinstance(two_sided, GradientPenalty)
    assert (two_sided.weight, two_sided.one_sided, one_sided.weight, one_sided.one_sided) == (10.0, False, 5.0, True)


def test_generator_is_a_part_of_the_distance():
    real, fake = torch.randn(2, 5)
    torch.testing.assert_close(Wasserstein().generator_loss(fake), Wasserstein().estimate(real, fake) - real.mean())


@pytest.mark.parametrize("arguments", [{"gradient_penalty": 1.0, "clip": 0.1}, {"clip": 0.0}, {"lipschitz_penalty": -1.0}])
def test_arguments_are_checked(arguments):
    with pytest.raises(ValueError, match="give at most one of gradient_penalty, lipschitz_penalty, clip"):
        Wasserstein(**arguments)
