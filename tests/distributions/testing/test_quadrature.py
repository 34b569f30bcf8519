"""Adaptive quadrature against closed forms."""

import pytest
import torch
from torch.distributions import Beta, Dirichlet, MultivariateNormal, Normal, Uniform

from probgen.distributions.testing import adaptive_integral, density_mass

WIDE = torch.float64


def test_mass_is_one_on_line_interval_simplex_and_plane():
    narrow = Normal(torch.tensor([100.0, -3.0], dtype=WIDE), torch.tensor([1e-3, 50.0], dtype=WIDE))
    slanted = MultivariateNormal(torch.zeros(2, dtype=WIDE), torch.tensor([[1.0, 0.99], [0.99, 1.0]], dtype=WIDE))
    for d in (narrow, slanted, Beta(torch.tensor(2.0, dtype=WIDE), 3.0), Dirichlet(torch.tensor([1.0, 2.0, 3.0], dtype=WIDE))):
        mass, error = density_mass(d)
        assert (mass - 1).abs().max() < 1e-4
        assert error.max() < 1e-4


def test_a_wrong_mass_is_seen():
    class Heavy(Normal):
        def log_prob(self, value):
            return super().log_prob(value) + 1e-3

    mass, error = density_mass(Heavy(torch.tensor(0.0, dtype=WIDE), 1.0))
    assert (mass - 1).abs() > 9e-4
    assert error < 1e-4


def test_peaks_and_jumps_are_found():
    def peak(v):
        return torch.exp(-300 * (v - 0.123).square().sum(-1)) * 300 / torch.pi

    value, error = adaptive_integral(peak, 2)
    assert abs(value - 1) < 1e-4
    assert error < 1e-3
    value, error = adaptive_integral(lambda v: (v.abs() < 1.2).all(-1).double(), 2)
    assert abs(value - 2.4**2) <= 4 * error
    assert error < 2e-2


def test_edges_of_the_support_count():
    assert abs(density_mass(Uniform(torch.tensor(-1.0, dtype=WIDE), 3.0))[0] - 1) < 1e-4


def test_three_dimensions_are_refused():
    with pytest.raises(ValueError, match="one or two free coordinates; got 3"):
        density_mass(MultivariateNormal(torch.zeros(3), torch.eye(3)))
