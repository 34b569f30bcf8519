"""The fitted variance of a denoiser against what it must be for Gaussian data, and for a wrong mean."""

import pytest
import torch

from probgen.distributions.chains import (
    Denoiser,
    GaussianDenoiser,
    NetworkDenoiser,
    TimeGrid,
    cosine_schedule,
    edm_schedule,
    fit_variance,
    flow_matching_schedule,
)
from tests.cases.networks import TinyDenoisingNetwork

GRID = TimeGrid([0.0, 0.02, 0.2, 0.5, 0.8, 1.0])


def posterior_variance(spread, schedule, t):
    zero, level = torch.zeros(1).double(), schedule.level(t)
    return spread.law(zero, level, zero, None, lambda x: x, 1).variance


@pytest.mark.statistical(false_alarm=1e-9)
@pytest.mark.parametrize("assume", ["error", "exact mean"])
@pytest.mark.parametrize("schedule", [cosine_schedule(), edm_schedule()])
def test_gaussian_data(schedule, assume):
    """The variance of 40 000 squared normals is known to 0.7 %: an error of 5 % (seven standard errors) is seen."""
    oracle = GaussianDenoiser(schedule, torch.tensor([1.0, -1.0]).double(), torch.tensor(0.0625).double())
    generator = torch.Generator().manual_seed(5)
    spread = fit_variance(oracle, oracle.data.sample((20_000,)), GRID, assume=assume, generator=generator)
    for t in GRID.times[1:].tolist():
        expected = oracle(torch.zeros(2).double(), t).variance[0].item()
        assert posterior_variance(spread, schedule, t).item() == pytest.approx(expected, rel=0.05)


@pytest.mark.statistical(false_alarm=1e-9)
def test_error_is_measured_also_of_a_wrong_mean():
    """A denoiser that always says zero has the error of the data: Sigma = E x_0^2 = v + m^2, clipped by the noise."""

    class Zero(Denoiser):
        def predict(self, x_t, level, context=None):
            return torch.zeros_like(x_t)

    data = 0.5 + 0.5 * torch.randn(20_000, 2, dtype=torch.float64)
    spread = fit_variance(Zero(cosine_schedule(), (2,)), data, GRID)
    t = 1.0
    assert posterior_variance(spread, cosine_schedule(), t).item() == pytest.approx(0.5, rel=0.07)


def test_prior_variance_stays_in_the_range_of_the_data():
    data = torch.rand(50, 2)
    denoiser = NetworkDenoiser(TinyDenoisingNetwork(2), cosine_schedule(), (2,))
    largest = ((data.max() - data.min()) / 2).item() ** 2
    for assume in ("error", "exact mean"):
        spread = fit_variance(denoiser, data, TimeGrid(10), assume=assume)
        assert spread.log_variance.exp().max().item() <= largest * (1 + 1e-6)
        assert bool(spread.log_variance.isfinite().all())
        assert not spread.log_variance.requires_grad


def test_batches_do_not_matter_and_seeds_do():
    denoiser, data = NetworkDenoiser(TinyDenoisingNetwork(2), cosine_schedule(), (2,)), torch.rand(10, 2)

    def fit(seed, **options):
        return fit_variance(denoiser, data, GRID, generator=torch.Generator().manual_seed(seed), **options).log_variance

    assert torch.equal(fit(1), fit(1))
    assert not torch.equal(fit(1), fit(2))
    assert len(fit(1, batch_size=3)) == len(fit(1))


def test_times_without_signal_are_left_out():
    oracle = GaussianDenoiser(flow_matching_schedule(), torch.zeros(2), torch.tensor(0.25))
    assert len(fit_variance(oracle, torch.randn(100, 2), TimeGrid(4)).log_snr) == 3


def test_context_goes_along():
    denoiser = NetworkDenoiser(TinyDenoisingNetwork(2, context_shape=(3,)), cosine_schedule(), (2,))
    fit_variance(denoiser, torch.rand(10, 2), GRID, context=torch.rand(10, 3), batch_size=4)
    with pytest.raises(ValueError, match="needs a context"):
        fit_variance(denoiser, torch.rand(10, 2), GRID)


def test_arguments_are_checked():
    oracle = GaussianDenoiser(cosine_schedule(), torch.zeros(2), torch.tensor(0.25))
    with pytest.raises(ValueError, match="`assume` must be"):
        fit_variance(oracle, torch.zeros(3, 2), GRID, assume="nothing")
    with pytest.raises(ValueError, match="`data` must not be empty"):
        fit_variance(oracle, torch.zeros(0, 2), GRID)
    with pytest.raises(ValueError, match="must have event shape"):
        fit_variance(oracle, torch.zeros(3, 4), GRID)
