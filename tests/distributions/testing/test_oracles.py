"""The oracles against closed forms."""

import pytest
import torch
from scipy.stats import norm
from torch.distributions import Categorical, Normal, constraints

from probgen.distributions.testing import (
    central_difference,
    enumerated_mass,
    free_dimension,
    grid_cdf,
    placed_grid,
    reference_log_prob,
)

WIDE = torch.float64


def test_grid_cdf_is_that_of_the_normal():
    x = torch.linspace(-4, 4, 21, dtype=WIDE)
    d = Normal(torch.tensor(0.3, dtype=WIDE), 0.7)
    assert (grid_cdf(d)(x) - d.cdf(x)).abs().max() < 1e-6


def test_placed_grid_covers_the_cloud():
    draws = torch.randn(500, 2, dtype=WIDE) * torch.tensor([1.0, 100.0])
    u, log_volume = placed_grid(draws, 51)
    assert (u.amin(0) < draws.amin(0)).all()
    assert (u.amax(0) > draws.amax(0)).all()
    assert log_volume.isfinite().all()


def test_enumeration_and_dimension():
    assert torch.allclose(enumerated_mass(Categorical(logits=torch.randn(3, 5))), torch.ones(3, dtype=WIDE))
    assert free_dimension(constraints.simplex, torch.Size((4,))) == 3
    with pytest.raises(ValueError, match="at most 2 points"):
        enumerated_mass(Categorical(logits=torch.randn(5)), most=2)


def test_central_difference_and_references():
    x = torch.tensor(0.7, dtype=WIDE)
    assert abs(central_difference(torch.exp, x, torch.ones((), dtype=WIDE)) - x.exp()) < 1e-8
    assert torch.allclose(reference_log_prob(norm(), x), Normal(0.0, 1.0).log_prob(x))
    with pytest.raises(TypeError, match="logpdf"):
        reference_log_prob(object(), x)
