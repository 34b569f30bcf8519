"""The bound of infinitely many steps from a few draws: against the exact log-density, and against the objective it averages."""

import pytest
import torch

from probgen.diffusion import Diffusion, TimeGrid, bound_estimate, cosine_schedule
from probgen.diffusion.continuous_estimate import log_uniform_times
from probgen.distributions.chains import GaussianDenoiser, NormalDecoder


def model(variance=0.25, stop=0.001):
    schedule = cosine_schedule()
    oracle = GaussianDenoiser(schedule, torch.zeros(2).double(), torch.tensor(variance).double())
    return Diffusion(oracle, schedule, (2,), TimeGrid.log_snr(schedule, 50, stop, 0.999))


@pytest.mark.statistical(false_alarm=1e-9)
def test_it_is_tight_at_the_exact_model():
    """The mean over data is within 6.1 standard errors; a factor of two in the integral would be 5 nats off."""
    torch.manual_seed(0)
    d = model()
    x = d.denoiser.data.sample((1500,))
    gap = bound_estimate(d, x, num_draws=32, decoder_draws=8) + d.denoiser.data.log_prob(x)
    assert abs(float(gap.mean())) < 6.1 * float(gap.std()) / 1500**0.5
    assert float(gap.std()) < 3.0


@pytest.mark.statistical(false_alarm=1e-9)
def test_it_agrees_with_the_objective():
    torch.manual_seed(1)
    schedule = cosine_schedule()
    oracle = GaussianDenoiser(schedule, torch.ones(2).double(), torch.tensor(0.5).double())
    d = Diffusion(oracle, schedule, (2,), TimeGrid.log_snr(schedule, 50, 0.01, 0.99), decoder=NormalDecoder())
    x = torch.randn(1, 2).double().expand(4000, 2)
    loss = d.continuous_bound_loss(times=log_uniform_times(d)).per_datum(x)
    found = bound_estimate(d, x, num_draws=1, decoder_draws=1)
    error = (loss.var() + found.var()).div(4000).sqrt()
    assert abs(float(loss.mean() - found.mean())) < 6.1 * float(error)


def test_one_seed_one_noise_whatever_the_global_state():
    d, x = model(), torch.ones(3, 2).double()
    first = bound_estimate(d, x)
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    assert torch.equal(bound_estimate(d, x), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(bound_estimate(d, x, seed=1), first)
    assert d.training


def test_errors_name_the_argument():
    with pytest.raises(ValueError, match="num_draws"):
        bound_estimate(model(), torch.ones(3, 2).double(), num_draws=0)
    with pytest.raises(ValueError, match="hold data"):
        bound_estimate(model(), torch.ones(0, 2).double())
