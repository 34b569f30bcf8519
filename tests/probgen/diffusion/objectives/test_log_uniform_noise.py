"""Times uniform in log-SNR: density by quadrature, quantiles, the ends, what is refused."""

import pytest
import torch

from probgen.diffusion.objectives import ContinuousTimes, LogUniformNoise
from probgen.distributions.chains import cosine_schedule, linear_schedule, variance_exploding_schedule


@pytest.mark.parametrize("schedule", [cosine_schedule(), linear_schedule(), variance_exploding_schedule()], ids=repr)
def test_density_integrates_to_one_and_to_its_cdf(schedule):
    law = LogUniformNoise(schedule, 0.05, 0.9)
    t = torch.linspace(0.05, 0.9, 20_001, dtype=torch.float64)
    mass = torch.cumulative_trapezoid(law.log_prob(t).exp(), t)
    assert float(mass[-1]) == pytest.approx(1.0, abs=1e-4)
    assert torch.allclose(mass, law.cdf(t[1:]), atol=1e-4)
    assert torch.allclose(law.cdf(law.icdf(torch.linspace(0, 1, 11))), torch.linspace(0, 1, 11).double(), atol=1e-7)


def test_draws_lie_in_the_interval_and_expand():
    torch.manual_seed(0)
    law = LogUniformNoise(cosine_schedule(), 0.02, 0.99)
    t = law.expand([4]).sample((1000,))
    assert t.shape == (1000, 4)
    assert bool(((t >= 0.02) & (t <= 0.99)).all())
    assert law.expand([4]).log_prob(t).shape == (1000, 4)


def test_no_density_outside_the_interval():
    law = LogUniformNoise(cosine_schedule(), 0.1, 0.9, validate_args=False)
    log_prob = law.log_prob(torch.tensor([-999.0, 0.05, 0.1, 0.5, 0.9, 0.95, 2.0], dtype=torch.float64))
    assert log_prob.isfinite().tolist() == [False, False, True, True, True, False, False]
    assert bool((log_prob[[0, 1, -2, -1]] == -torch.inf).all())


def test_as_times_of_an_objective_the_ratios_average_to_one():
    times = ContinuousTimes(LogUniformNoise(cosine_schedule(), 0.1, 0.9), low=0.1, high=0.9, coupling="low-discrepancy")
    assert float(times(4000).ratio.mean()) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (-0.1, 0.5), (0.2, 1.1)])
def test_bad_intervals(low, high):
    with pytest.raises(ValueError, match="low"):
        LogUniformNoise(cosine_schedule(), low, high)


def test_infinite_ends_are_refused():
    with pytest.raises(ValueError, match="finite"):
        LogUniformNoise(linear_schedule(), 0.0, 0.5)
