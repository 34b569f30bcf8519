"""Kernel divergences: closed forms on normal laws, exact unbiasedness by enumeration, and use without a critic."""

import itertools
import math

import pytest
import torch

from probgen.infer import (
    DistanceKernel,
    EnergyDistance,
    GaussianKernel,
    KernelDivergence,
    MaximumMeanDiscrepancy,
    RationalQuadraticKernel,
)
from probgen.infer.divergences.kernel_divergences import squared_discrepancy
from tests.probgen.infer.divergences.line import X, normal, normal_cdf

KERNELS = [GaussianKernel((1.0,)), RationalQuadraticKernel(), DistanceKernel(), DistanceKernel(1.5)]
kernels = pytest.mark.parametrize("kernel", KERNELS, ids=repr)


def population(kernel, points, p, q):
    """The squared discrepancy of two laws given by weights on points."""
    values = kernel(points[:, None], points[:, None])
    return float((p - q) @ values @ (p - q))


def test_gaussian_kernel_on_normal_laws():
    # x - y is normal with variance 2; E exp(-d^2 / 2) over N(m, 2) is exp(-m^2 / 6) / sqrt 3
    closed = 2 / math.sqrt(3) * (1 - math.exp(-1 / 6))
    assert population(GaussianKernel(), X, normal(0.0), normal(1.0)) == pytest.approx(closed, abs=1e-10)


def test_energy_distance_on_normal_laws():
    def mean_absolute(m, s):
        return s * math.sqrt(2 / math.pi) * math.exp(-(m**2) / (2 * s**2)) + m * (1 - 2 * normal_cdf(-m / s))

    closed = 2 * mean_absolute(1.0, math.sqrt(2.0)) - 2 * mean_absolute(0.0, math.sqrt(2.0))
    # 2 * the area of the squared difference of the distribution functions: the other face of the energy distance
    z = torch.distributions.Normal(torch.zeros((), dtype=torch.float64), 1.0)
    x = torch.linspace(-12, 13, 200_001, dtype=torch.float64)
    area = 2 * float(torch.trapezoid((z.cdf(x) - z.cdf(x - 1)).square(), x))
    assert closed == pytest.approx(area, abs=1e-9)
    # the kink on the diagonal costs the rule digits
    assert population(DistanceKernel(), X, normal(0.0), normal(1.0)) == pytest.approx(closed, abs=2e-3)


@kernels
def test_estimate_is_unbiased_exactly(kernel):
    points = torch.tensor([-1.0, 0.5, 2.0], dtype=torch.float64)
    p, q = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64), torch.tensor([0.6, 0.1, 0.3], dtype=torch.float64)
    mean = 0.0
    for indices in itertools.product(range(3), repeat=5):  # all sets of two data and three draws
        real, fake = list(indices[:2]), list(indices[2:])
        chance = float(p[real].prod() * q[fake].prod())
        mean += chance * float(squared_discrepancy(kernel, points[real], points[fake]))
    assert mean == pytest.approx(population(kernel, points, p, q), abs=1e-12)


@kernels
def test_estimates_may_be_negative(kernel):
    # No set is farther from the other than from itself: an unbiased estimate of zero must fall below it now and then.
    assert squared_discrepancy(kernel, torch.tensor([0.0, 3.0]), torch.tensor([1.0, 2.0])) < 0


def test_energy_is_the_discrepancy_of_the_distance_kernel():
    x, y = torch.randn(4, 2, 3), torch.randn(5, 2, 3)
    flat_x, flat_y = x.flatten(1), y.flatten(1)
    across = torch.cdist(flat_x, flat_y).mean()
    within = torch.cdist(flat_x, flat_x).sum() / 12 + torch.cdist(flat_y, flat_y).sum() / 20
    torch.testing.assert_close(EnergyDistance().estimate(x, y), 2 * across - within)


def test_generator_descends_to_the_data_without_a_critic():
    real = torch.randn(64, 1) * 0.5 + 3
    for divergence in (EnergyDistance(), MaximumMeanDiscrepancy(RationalQuadraticKernel())):
        shift, noise = torch.zeros(1, requires_grad=True), torch.randn(64, 1) * 0.5
        optimizer = torch.optim.Adam([shift], lr=0.3)
        for _ in range(60):
            optimizer.zero_grad()
            divergence.generator_loss(noise + shift, real).backward()
            optimizer.step()
        assert shift.item() == pytest.approx(real.mean().item() - noise.mean().item(), abs=0.1)


def test_critic_and_generator_are_opposed():
    real, fake = torch.randn(6, 3), torch.randn(6, 3)
    divergence = MaximumMeanDiscrepancy(GaussianKernel())
    assert divergence.critic_loss(real, fake) == -divergence.generator_loss(fake, real)
    assert isinstance(divergence, KernelDivergence)
    assert not divergence.needs_critic


def test_single_examples_have_no_others():
    assert EnergyDistance().estimate(torch.zeros(1, 1), torch.ones(1, 1)) == 2
    assert EnergyDistance().estimate(torch.zeros(0, 1), torch.ones(1, 1)) == 0


def test_unequal_events_are_refused():
    with pytest.raises(ValueError, match="must have one event shape"):
        EnergyDistance().estimate(torch.zeros(3, 2), torch.zeros(3, 4))
