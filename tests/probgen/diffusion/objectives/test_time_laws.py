"""Laws of time: densities by quadrature, quantiles, the medians of the papers."""

import math

import pytest
import torch

from probgen.diffusion.objectives import LogNormalNoise, logit_normal_time
from probgen.distributions.chains import cosine_schedule, edm_schedule, variance_preserving_schedule


@pytest.mark.parametrize("schedule", [edm_schedule(), variance_preserving_schedule(), cosine_schedule()])
def test_log_normal_noise_has_mass_one_and_matches_its_cdf(schedule):
    law = LogNormalNoise(schedule, -0.5, 1.5)
    t = torch.linspace(0, 1, 200_001, dtype=torch.float64)[1:-1]
    density = law.log_prob(t).exp()
    mass = torch.cumulative_trapezoid(density, t)
    assert abs(mass[-1] - 1) < 1e-3
    assert (mass - (law.cdf(t[1:]) - law.cdf(t[:1]))).abs().max() < 1e-3
    p = torch.linspace(0.01, 0.99, 50).double()
    assert torch.allclose(law.cdf(law.icdf(p)), p, atol=1e-6)


@pytest.mark.statistical(false_alarm=1e-11)
def test_log_normal_noise_is_log_normal_inside_the_range():
    """Detects a mean or a standard deviation of the log-noise that is off by 0.1."""
    law = LogNormalNoise(edm_schedule(sigma_max=1e6))
    draws = edm_schedule(sigma_max=1e6).sigma(law.sample((20_000,))).log()
    assert abs(draws.mean() + 1.2) < 0.06  # 7 standard errors
    assert abs(draws.std() - 1.2) < 0.05  # 8 standard errors


def test_logit_normal_time():
    t = torch.tensor([0.1, 0.5, 0.8]).double()
    z = torch.logit(t)
    by_hand = -z.square() / 2 - 0.5 * math.log(2 * math.pi) - torch.log(t * (1 - t))
    assert torch.allclose(logit_normal_time().log_prob(t), by_hand)
    assert abs(logit_normal_time(1.0, 0.5).icdf(torch.tensor(0.5).double()) - torch.sigmoid(torch.tensor(1.0))) < 1e-6


def test_the_scale_must_be_positive():
    with pytest.raises(ValueError, match="`scale`"):
        LogNormalNoise(edm_schedule(), scale=0.0)
