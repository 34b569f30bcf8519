"""Dequantization: a bound, and nothing but a bound."""

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import DensityUnavailable, Dequantized, TransformedDistribution, standard_normal
from probgen.distributions.bijectors import Affine, ToSupport


def cell_masses(levels):
    """Exact masses of a rounded-down normal with clamped ends."""
    edges = torch.arange(1, levels, dtype=torch.float64)
    inner = dist.Normal(torch.tensor(3.0, dtype=torch.float64), 2.0).cdf(edges)
    return torch.diff(torch.cat([torch.zeros(1), inner, torch.ones(1)]))


def law(**kwargs):
    return Dequantized(dist.Normal(torch.tensor(3.0, dtype=torch.float64), 2.0), levels=8, **kwargs)


def test_no_exact_density():
    with pytest.raises(DensityUnavailable, match=r"log_prob_estimate.*bound.*allow_estimate"):
        law().log_prob(torch.zeros(()))
    assert law(allow_estimate=True).log_prob(torch.zeros(5)).shape == (5,)
    assert law().log_prob_kind == "lower"


@pytest.mark.statistical(false_alarm=1e-8)
def test_bound_is_below_the_mass_and_tight_with_many_draws():
    """Interior cells are tight; the end cells hold tails that noise on [0, 1) cannot see."""
    x = torch.arange(8, dtype=torch.float64)
    truth = cell_masses(8).log()
    estimate = law().log_prob_estimate(x, 4096)
    assert estimate.kind == "lower"
    assert (estimate.value < truth + 6 * estimate.stderr).all()
    torch.testing.assert_close(estimate.value[1:-1], truth[1:-1], atol=0.03, rtol=0)
    one = law().bound(x.expand(4000, 8)).mean(0)
    assert (one[1:-1] < truth[1:-1]).all()


def test_draws_are_levels_with_the_exact_masses():
    """Each frequency of 20000 draws is within 6 standard deviations of its mass (8 cells: 2e-8)."""
    d = law()
    drawn = d.sample((20_000,))
    assert d.support.check(drawn).all()
    masses = cell_masses(8)
    frequencies = torch.stack([(drawn == level).double().mean() for level in range(8)])
    assert ((frequencies - masses).abs() < 6 * (masses * (1 - masses) / 20_000).sqrt()).all()


def test_variational_noise_at_the_optimum_makes_the_bound_exact():
    """If q(u | x) is p(x + u) / P(x) every weight is P(x): here p is uniform on cells, so uniform noise is the optimum."""

    def noise(x):
        return TransformedDistribution(
            standard_normal(1).expand(x.shape[:-1]),
            Affine(torch.zeros_like(x), 1.0) >> ToSupport(torch.distributions.constraints.unit_interval),
        )

    flat = dist.Uniform(torch.zeros(1), 4 * torch.ones(1)).to_event(1)
    x = torch.tensor([[1.0], [2.0]])
    torch.testing.assert_close(Dequantized(flat, 4).bound(x, 3), torch.full((2,), -torch.tensor(4.0).log().item()))
    learned = Dequantized(flat, 4, noise=noise).log_prob_estimate(x, 5000)
    assert ((learned.value + torch.tensor(4.0).log()).abs() < 6 * learned.stderr).all()


def test_integers_of_any_dtype_and_expansion():
    d = Dequantized(standard_normal(2)).expand((3,))
    assert d.bound(torch.zeros(4, 3, 2, dtype=torch.long)).shape == (4, 3)
    assert d.support.check(d.sample()).all()
    with pytest.raises(ValueError, match="support"):
        law().bound(torch.tensor(8.0, dtype=torch.float64))
    with pytest.raises(ValueError, match="`levels`"):
        Dequantized(standard_normal(2), levels=0)


def test_discreteness_is_declared():
    assert law().support.is_discrete
    assert Dequantized(standard_normal(2)).support.is_discrete
