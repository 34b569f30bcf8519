"""Missing values against the closed form of a Gaussian."""

import math

import pyro.distributions as dist
import pytest
import torch

from probgen.distributions import (
    DensityUnavailable,
    Dequantized,
    TransformedDistribution,
    impute,
    observed_log_prob,
    standard_normal,
)
from probgen.distributions.bijectors import Affine, Exp, LowerTriangular
from probgen.distributions.missing import _propose
from probgen.flows import neural_spline_coupling


def correlated():
    """A Gaussian of dimension 3 as a flow, with its mean and covariance."""
    f = LowerTriangular(3).double()
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(0.6 * torch.randn_like(parameter))
    root = torch.autograd.functional.jacobian(f, torch.zeros(3, dtype=torch.float64))
    mean = f(torch.zeros(3, dtype=torch.float64)).detach()
    return TransformedDistribution(standard_normal(3), f), mean, root @ root.mT


def conditional(mean, covariance, x, seen):
    o, m = seen.nonzero().flatten(), (~seen).nonzero().flatten()
    gain = covariance[m][:, o] @ torch.linalg.inv(covariance[o][:, o])
    return mean[m] + gain @ (x[o] - mean[o]), covariance[m][:, m] - gain @ covariance[o][:, m]


MASKS = torch.tensor([[True, False, True], [False, False, True], [True, True, True], [False, False, False]])


@pytest.mark.statistical(false_alarm=1e-8)
def test_likelihood_of_the_observed_part_of_a_gaussian():
    """Weights of 4096 draws: every estimate is within 6 of its standard errors (and 0.05) of the closed form."""
    law, mean, covariance = correlated()
    x = law.sample((len(MASKS),))
    estimate = observed_log_prob(law, x, MASKS, num_draws=4096)
    for row, seen in enumerate(MASKS):
        o = seen.nonzero().flatten()
        truth = dist.MultivariateNormal(mean[o], covariance[o][:, o]).log_prob(x[row][o]) if len(o) else torch.tensor(0.0)
        error = (estimate.value[row] - truth).abs()
        assert error < 0.05
        assert error < 6 * estimate.stderr[row] + 1e-9
    assert estimate.kind == "lower"
    assert estimate.stderr[2] < 1e-12


@pytest.mark.statistical(false_alarm=1e-9)
def test_imputation_of_a_gaussian():
    """Means and variances of 4000 imputations from 40000 proposals; the bounds are 6 standard errors or more."""
    law, mean, covariance = correlated()
    x = law.sample()
    filled = impute(law, x.where(MASKS[0], math.nan), num_samples=4000, num_proposals=40_000)
    assert torch.equal(filled[:, MASKS[0]], x[MASKS[0]].expand(4000, 2))
    loc, spread = conditional(mean, covariance, x, MASKS[0])
    missing = filled[:, 1]
    assert abs(missing.mean() - loc[0]) < 6 * (spread[0, 0] / 4000).sqrt() * 1.5
    assert abs(missing.var() / spread[0, 0] - 1) < 6 * math.sqrt(2 / 4000) * 1.5


@pytest.mark.statistical(false_alarm=1e-8)
def test_weights_are_unbiased_for_a_flow():
    """The mean of independent estimates of p(x_o) agrees with quadrature over the missing coordinate."""
    f = neural_spline_coupling(2, layers=2, hidden=(8,)).double()
    with torch.no_grad():
        for parameter in f.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    law = TransformedDistribution(standard_normal(2), f)
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    points = torch.stack([torch.full_like(grid, 0.4), grid], -1)
    truth = torch.trapezoid(law.log_prob(points).exp(), grid)
    estimate = observed_log_prob(law, torch.tensor([0.4, math.nan], dtype=torch.float64), num_draws=20_000)
    assert abs(estimate.value.exp() / truth - 1) < 6 * estimate.stderr + 1e-3


def test_gradients_reach_the_parameters():
    law, _, _ = correlated()
    observed_log_prob(law, torch.tensor([0.1, math.nan, 0.2], dtype=torch.float64)).value.backward()
    assert all(parameter.grad.isfinite().all() for parameter in law.bijector.parameters())


def test_only_missing_coordinates_move():
    law, _, _ = correlated()
    x = torch.zeros(4, 3, dtype=torch.float64)
    completed = _propose(law, x, MASKS, 8).completed
    assert completed.shape == (8, 4, 3)
    assert torch.equal(completed != 0, (~MASKS).expand(8, 4, 3))


def test_refusals():
    with pytest.raises(DensityUnavailable):
        observed_log_prob(Dequantized(standard_normal(2)), torch.zeros(2))
    with pytest.raises(ValueError, match="supported on the reals"):
        observed_log_prob(TransformedDistribution(standard_normal(2), Exp()), torch.ones(2))
    with pytest.raises(ValueError, match=r"events of shape \(D,\)"):
        impute(standard_normal(), torch.zeros(()))


def test_values_broadcast_with_the_batch_of_the_law():
    loc = torch.arange(6.0).reshape(3, 2)
    law = TransformedDistribution(standard_normal(2), Affine(loc, torch.ones(3, 2)))
    value = torch.tensor([1.0, torch.nan])
    torch.manual_seed(0)
    found = observed_log_prob(law, value, num_draws=64).value
    expected = torch.distributions.Normal(loc[:, 0], 1.0).log_prob(value[0])
    torch.testing.assert_close(found, expected, atol=0.5, rtol=0)
    assert impute(law, value, num_samples=4).shape == (4, 3, 2)
