"""Estimates and the error for missing densities."""

import math

import pytest
import torch

from probgen.distributions import DensityUnavailable, Estimate
from probgen.distributions.estimate import log_mean_exp_estimate, mean_estimate


@pytest.mark.statistical(false_alarm=1e-8)
def test_log_mean_exp_is_a_lower_bound_with_an_honest_error():
    """w = exp(s z), z normal: log E w = s^2 / 2. The mean of 400 estimates is checked to 6 standard errors."""
    scale, count = 0.7, 64
    log_weights = scale * torch.randn(count, 400, dtype=torch.float64)
    estimate = log_mean_exp_estimate(log_weights)
    truth = scale**2 / 2
    spread = estimate.value.std()
    assert estimate.kind == "lower"
    assert estimate.value.mean() < truth + 6 * spread / 20
    assert abs(estimate.value.mean() - truth) < 0.02
    assert 0.7 < (estimate.stderr.square().mean().sqrt() / spread) < 1.3


def test_one_draw_has_no_standard_error():
    assert log_mean_exp_estimate(torch.zeros(1, 3)).stderr.isnan().all()
    with pytest.raises(ValueError, match="at least one draw"):
        log_mean_exp_estimate(torch.zeros(0, 3))


def test_a_mean_of_estimates_has_its_standard_error_also_of_empty_batches():
    terms = torch.tensor([[1.0, 4.0], [3.0, 4.0]], requires_grad=True)
    found = mean_estimate(terms, "lower")
    assert found.kind == "lower"
    assert found.value.tolist() == [2.0, 4.0]
    assert found.stderr.tolist() == [1.0, 0.0]
    assert found.value.requires_grad
    assert not found.stderr.requires_grad
    assert mean_estimate(torch.zeros(4, 0), "unbiased").stderr.shape == (0,)
    assert mean_estimate(torch.zeros(1, 2), "unbiased").stderr.isnan().all()
    with pytest.raises(ValueError, match="at least one estimate"):
        mean_estimate(torch.zeros(0, 2), "unbiased")


def test_text():
    exact = Estimate(torch.tensor(-1.0), torch.tensor(0.0), "exact")
    assert repr(exact) == "Estimate(= -1.0000 nats)"
    many = Estimate(torch.tensor([1.0, 3.0]), torch.zeros(2), "unbiased")
    assert repr(many) == "Estimate(shape (2,), mean ~ 2.0000 ± 1.0000 nats)"
    assert many.mean() == (2.0, pytest.approx(math.sqrt(2) / math.sqrt(2)))


def test_the_error_is_a_not_implemented_error_that_names_the_way_out():
    error = DensityUnavailable("Generator", "it has none", "`.sample()`")
    assert isinstance(error, NotImplementedError)
    assert "Generator" in str(error)
    assert "Use `.sample()`" in str(error)
